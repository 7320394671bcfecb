"""Is this name a reader of text, and how is it built?"""

from __future__ import annotations

from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Model, Precision, Spec, Trial

NAME = "rapidocr"
SIDE = 2000  # px of the longer side of what is looked at as a whole; larger images are read in pieces


class OcrFamily:
    """Readers of text, by name: "rapidocr"."""

    name = "ocr"

    def names(self) -> list[str]:
        """Return its name where it is installed."""
        return [NAME] if find_spec(NAME) else []

    def suggestions(self) -> list[str]:
        """Return its name where it would have to be installed."""
        return [] if find_spec(NAME) else [NAME]

    def claims(self, name: str) -> bool:
        return name.casefold() == NAME

    def spec(self, name: str, home: Path | None = None) -> Spec:
        return _spec()

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licence of a model's weights."""
        return self.spec(name, home).licence


@cache
def _spec() -> Spec:
    try:
        version = metadata.version("rapidocr")
    except metadata.PackageNotFoundError:
        version = "not installed"
    return Spec(
        name=NAME,
        family=OcrFamily.name,
        tasks=("read",),
        needs=ImageNeeds(size=SIDE, resize="fit"),
        gives=Gives(),
        licence="Apache-2.0",
        source="RapidOCR with PP-OCRv6 of PaddleOCR",
        revision=f"{version}+1",
        note="Reads Chinese and English, printed, in lines; handwriting and other scripts poorly. Works offline: its"
        ' models come with the package (pip install "camera-lucida[see]"). Lines that it is less than half sure of are'
        " left out.",
        build=_build,
    )


def _build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
    from lucida.models.ocr.model import OcrModel

    return OcrModel(spec, precision)
