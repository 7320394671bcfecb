"""Where a training run keeps what; nothing here needs PyTorch."""

from __future__ import annotations

from typing import Final

MODEL: Final = "model"  # the exported model: an ONNX file and its TOML
CONFIG: Final = "config.json"  # all that was asked
RESULT: Final = "result.json"  # what came of it
