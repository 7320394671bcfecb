"""Results as files: a table, or the images themselves in their order."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lucida.errors import ImageError, InputError
from lucida.whole import whole

if TYPE_CHECKING:
    from lucida.search.result import Hit

COLUMNS = ("rank", "path", "score", "image", "found")


def write_results(out: Path, hits: Sequence[Hit], read: Callable[[str], bytes]) -> tuple[str, ...]:
    """Write results and return what was written.

    Args:
        out: A file ending in .csv for a table, or in .txt for paths alone; else a folder for copies of the images.
        hits: The results.
        read: Returns the bytes of an image.

    Raises:
        InputError: It cannot be written, or the folder holds other files.
    """
    try:
        if out.suffix.lower() in (".csv", ".txt"):
            _write_list(out, hits)
            return (str(out),)
        return _copy(out, hits, read)
    except OSError as error:
        raise InputError(
            f"The results cannot be written to {out}.",
            expected="a .csv or .txt file, or a folder, that you may write",
            got=str(error),
            hint="name another with --out",
        ) from error


def _write_list(out: Path, hits: Sequence[Hit]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole(out) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        if out.suffix.lower() == ".txt":
            file.writelines(f"{hit.path}\n" for hit in hits)
        else:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for rank, hit in enumerate(hits, 1):
                table.writerow([rank, hit.path, hit.score, hit.image, "; ".join(map(str, hit.found))])


def _copy(out: Path, hits: Sequence[Hit], read: Callable[[str], bytes]) -> tuple[str, ...]:
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise InputError(
            f"{out} is not empty.", expected="a new or empty folder", got="a folder with files", hint="name another"
        )
    written = []
    for rank, hit in enumerate(hits, 1):
        # A row of a Parquet file has no suffix of its own.
        name = PurePosixPath(hit.path).name.replace("#", "-")
        try:
            data = read(hit.image)
        except ImageError:
            continue  # its file is gone: it stays in the list of results
        path = out / f"{rank:04d} {name}"
        path.write_bytes(data)
        written.append(str(path))
    return (str(out), *written)
