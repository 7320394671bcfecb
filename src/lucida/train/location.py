"""Where a training run keeps what; nothing here needs PyTorch."""

from __future__ import annotations

from typing import Final

MODEL: Final = "model"  # the exported model: an ONNX file and its TOML
RESULT: Final = "result.json"
