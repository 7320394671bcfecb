"""Findings as files: a table for programs, and one page that shows the images beside their reasons."""

from __future__ import annotations

import base64
import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from lucida.clean.finding import MEANINGS, Finding
from lucida.errors import ImageError, InputError

TABLE: Final = "findings.csv"
PAGE: Final = "findings.html"
SHOWN: Final = 200  # of each kind; a page of more loads slowly and is not read
_THUMB: Final = 160

_HEAD: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Findings</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c1e21 }
.all { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem }
figure { margin: 0; border: 1px solid #d8dade; border-radius: 8px; padding: .7rem; overflow-wrap: anywhere }
img { max-width: 100%; height: 160px; object-fit: contain; display: block; margin: 0 auto .5rem }
.path { color: #60656c; font-size: 13px }
@media (prefers-color-scheme: dark) { body { background: #17191c; color: #e6e8ea } figure { border-color: #3a3f45 } }
</style>
"""


def write_report(folder: Path, findings: Sequence[Finding], read: Callable[[Finding], bytes], about: str) -> list[Path]:
    """Write `findings.csv` and the self-contained `findings.html`, and return their paths.

    Args:
        folder: Where to; made if missing.
        findings: What was found, the worst first.
        read: Returns the bytes of the image of a finding.
        about: Where the images come from, for the heading.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / TABLE).open("w", encoding="utf-8", newline="") as opened:
            table = csv.writer(opened)
            table.writerow(["path", "kind", "score", "label", "suggestion", "reason", "others"])
            for one in findings:
                cells = (one.label, one.suggestion, one.reason, " | ".join(one.others))
                table.writerow([_cell(one.path), one.kind, f"{one.score:.4f}", *map(_cell, cells)])
        (folder / PAGE).write_text(_page(findings, read, about), "utf-8")
    except OSError as error:
        raise InputError(
            f"The findings cannot be written to {folder}.",
            expected="a folder that you may write",
            got=str(error),
            hint="name another with --out",
        ) from error
    return [folder / TABLE, folder / PAGE]


def _cell(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _page(findings: Sequence[Finding], read: Callable[[Finding], bytes], about: str) -> str:
    counts = Counter(one.kind for one in findings)
    lines = [_HEAD, f"<h1>Findings in {escape(about)}</h1>"]
    if not findings:
        lines.append("<p>Nothing was found.</p>")
    for kind, count in counts.most_common():
        lines.append(f"<h2>{escape(kind)}: {count:,}</h2><p>Found because {escape(MEANINGS[kind])}.</p>")
        if count > SHOWN:
            lines.append(f"<p>The worst {SHOWN} are shown; {TABLE} lists all.</p>")
        shown = [one for one in findings if one.kind == kind][:SHOWN]
        lines += ['<div class="all">', *(_figure(one, read) for one in shown), "</div>"]
    return "\n".join([*lines, "</html>\n"])


def _figure(one: Finding, read: Callable[[Finding], bytes]) -> str:
    image = _thumb(one, read)
    picture = f'<img alt="" src="data:image/jpeg;base64,{image}">' if image else ""
    return (
        f"<figure>{picture}<figcaption>{escape(one.reason)}"
        f'<div class="path">{escape(one.path)} · {one.score:.2f}</div></figcaption></figure>'
    )


def _thumb(one: Finding, read: Callable[[Finding], bytes]) -> str:
    from PIL import Image as Pillow

    from lucida.images import decode

    try:
        picture = Pillow.fromarray(decode(read(one), cover=_THUMB).rgb8())
    except ImageError:
        return ""
    picture.thumbnail((2 * _THUMB, 2 * _THUMB))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return base64.b64encode(out.getvalue()).decode()
