"""Files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucida.whole import whole, write_whole


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, "grün")
    with pytest.raises(TypeError), whole(path) as partial:
        partial.write_bytes(b"half") and partial.write_bytes("no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == "grün".encode()
    with whole(path, shared=True) as one, whole(path, shared=False) as other:
        assert one != other
        for place in (one, other):
            place.write_bytes(b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a.json", b"new")]
