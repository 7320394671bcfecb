"""Images that are made larger, cleaner or whole, with restorers that are kept ready."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import ImageError
from lucida.images import probe
from lucida.restore import Restorer, Wish
from lucida.serve.making import unable

if TYPE_CHECKING:
    from lucida.serve.desk import Desk
    from lucida.serve.intake import Sent
    from lucida.serve.making import Step
    from lucida.serve.served import Served

KEPT: Final = 4  # restorers that are kept ready


def restore(desk: Desk, served: Served, wish: Wish, sent: Sent, mask: Sent | None, step: Step) -> dict[str, Any]:
    """Restore an image.

    Args:
        desk: What is served.
        served: The model.
        wish: What is to be done, but for model and mask.
        sent: The image.
        mask: White where is to be filled; None for none.
        step: Raises once nobody waits.

    Returns:
        What became of it, with its PNG bytes.

    Raises:
        LucidaError: It cannot be restored.
    """
    bench = desk.bench
    data = bench.data(sent)
    folders = tempfile.TemporaryDirectory(prefix="lucida-serve-")
    with folders as folder, served.unnamed(f"{folder}/") as said:
        place = Path(folder)
        if mask is not None:
            (place / "sent").write_bytes(bench.data(mask))
            wish = replace(wish, fill=place / "sent")
        with unable(served):
            restorer = _restorer(desk, replace(wish, model=served.given))
        _check_size(desk, restorer, data)
        threads = desk.settings.threads
        done = restorer.file(data, place / "image.png", step, name="sent", workers=threads)
        return {
            "image": sent.id, "width": done.size[0], "height": done.size[1], "size": list(done.became),
            "noise": done.noise, "frames": done.frames, "png": done.written.read_bytes(),
            "notes": [said(note) for note in dict.fromkeys([*restorer.plan.notes, *done.notes])],
        }  # fmt: skip


def _restorer(desk: Desk, wish: Wish) -> Restorer:
    home = desk.catalog.models if desk.catalog else None
    if wish.fill is not None:
        return Restorer(wish, home)
    kept = desk.bench.restorers
    if wish not in kept:
        kept[wish] = Restorer(wish, home)
        while len(kept) > KEPT:
            kept.popitem(last=False)
    kept.move_to_end(wish)
    return kept[wish]


def _check_size(desk: Desk, restorer: Restorer, data: bytes) -> None:
    header, most = probe(data, desk.limits), desk.settings.pixels
    width, height = restorer.plan.size(header.width, header.height)
    if width * height > most:
        raise ImageError(
            "The image would become too large for an answer.",
            expected=f"at most {most:,} pixels",
            got=f"{width:,} x {height:,}",
            hint="a smaller upscale; `lucida restore` writes larger ones",
        )
