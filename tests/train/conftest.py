"""What several tests of trainings use."""

from __future__ import annotations

import pytest


@pytest.fixture
def unexported(monkeypatch) -> None:
    """Leave the ONNX file out, which takes longer than the training: for tests of what comes before it."""
    for module in ("export", "pretrain"):
        monkeypatch.setattr(f"lucida.train.{module}.write_onnx", lambda module, needs, outputs, path: path.touch())
