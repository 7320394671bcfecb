"""Write a report, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from lucida.errors import InputError
from lucida.whole import write_whole


def write_page(path: Path, html: str) -> Path:
    """Write HTML to a file; a folder gets a report.html.

    Raises:
        InputError: It cannot be written.
    """
    path = path.expanduser()
    path = path / "report.html" if path.is_dir() else path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, html)
    except OSError as error:
        raise InputError(
            f"The report cannot be written to {path}.",
            expected="a file in a folder that you may write",
            got=error.strerror or str(error),
            hint="-o NAMES ANOTHER FILE",
        ) from error
    return path
