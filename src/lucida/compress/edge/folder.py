"""The folder for the edge: a web page that runs the model, and the model for phones."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.compress.edge.ort_format import write_ort
from lucida.compress.edge.runtime import FILES
from lucida.errors import InputError
from lucida.models.needs import RAW, in_words

if TYPE_CHECKING:
    from lucida.compress.result import CompressResult
    from lucida.models.onnx.card import Card

PAGE = ("index.html", "style.css", "classify.js", "prepare.js")
FACTS = "model.json"


@dataclass(frozen=True)
class EdgeResult:
    """What was written.

    Attributes:
        folder: The web page and all that it needs.
        bytes: Size of each file.
        compressed: What compression did before; None where the model is as it was.
    """

    folder: str
    bytes: dict[str, int]
    compressed: CompressResult | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "folder": self.folder,
            "bytes": self.bytes,
            "compressed": self.compressed.to_json() if self.compressed else None,
        }

    def __str__(self) -> str:
        sizes = {name: f"{self.bytes[name] / 1e6:.2f} MB" for name in ("model.onnx", "model.ort")}
        lines = [str(self.compressed), ""] if self.compressed else []
        lines += [
            f"Wrote {self.folder}: a web page that runs the model in the browser (model.onnx, {sizes['model.onnx']}), "
            f"and model.ort ({sizes['model.ort']}) for ONNX Runtime on phones.",
            f"Any web server will do: python -m http.server --directory {self.folder}",
        ]
        return "\n".join(lines)


def write_edge(card: Card, folder: Path, runtime: Path, compressed: CompressResult | None = None) -> EdgeResult:
    """Write the folder.

    Args:
        card: A classifier, its weights within one file or beside it.
        folder: Where; made if it is not there, and replaced if it is one that was written so.
        runtime: Folder of the web build of ONNX Runtime.
        compressed: What compression did before.

    Raises:
        InputError: The folder holds something else, or the model takes images that browsers cannot decode.
        ModelError: The model cannot be written in ORT format.
    """
    if card.needs.channels == RAW:
        raise InputError(
            "A browser cannot prepare images for this model.",
            expected="a model of RGB images of 8 bits, which browsers decode",
            got=f"one of {in_words(card.needs.depth, card.needs.deep)}, as the files have them",
            hint="lucida train --channels rgb makes one; or run model.onnx where its images are decoded",
        )
    if folder.exists() and not (folder / FACTS).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{folder} holds something else.",
            expected="a folder that is new, empty, or was written by this command",
            got="other files",
            hint="--edge ANOTHER_FOLDER",
        )
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "ort").mkdir(parents=True)
    page = files("lucida.compress.edge") / "page"
    for name in PAGE:
        (partial / name).write_bytes((page / name).read_bytes())
    for name in FILES:
        shutil.copyfile(runtime / name, partial / "ort" / name)
    _one_file(card, partial / "model.onnx")
    write_ort(card, partial / "model.ort")
    (partial / FACTS).write_text(json.dumps(facts(card), ensure_ascii=False, indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in found}
    return EdgeResult(str(folder), sizes, compressed)


def facts(card: Card) -> dict[str, Any]:
    """Return what the page must know of a model."""
    return {
        "name": card.name,
        "licence": card.licence,
        "several": card.task == "tag",
        "classes": list(card.classes),
        "input": card.input,
        "logits": card.logits,
        "needs": asdict(card.needs),
        "written_by": f"camera-lucida {version('camera-lucida')}",
    }


def _one_file(card: Card, target: Path) -> None:
    if card.file.with_name(f"{card.file.name}.data").is_file():
        from lucida.compress.halves import one_file

        one_file(card.file, target)
    else:
        shutil.copyfile(card.file, target)
