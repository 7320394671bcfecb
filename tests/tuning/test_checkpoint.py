"""Checkpoints: whole or absent, also where there is no room."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
resource = pytest.importorskip("resource")

from lucida.tuning import checkpoint  # noqa: E402

pytestmark = pytest.mark.torch


def test_no_room_is_an_os_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    checkpoint.save(path, {"a": {"w": torch.ones(4)}}, {"step": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
    try:
        with pytest.raises(OSError, match="large"):
            checkpoint.save(path, {"a": {"w": torch.ones(1_000_000)}}, {"step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert checkpoint.load(path)[1] == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
