"""Write a report, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from lucida.errors import InputError


def write_page(path: Path, html: str) -> Path:
    """Write HTML to a file; a folder gets a report.html.

    Raises:
        InputError: It cannot be written.
    """
    path = path.expanduser()
    path = path / "report.html" if path.is_dir() else path
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(html, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"The report cannot be written to {path}.",
            expected="a file in a folder that you may write",
            got=error.strerror or str(error),
            hint="-o NAMES ANOTHER FILE",
        ) from error
    return path
