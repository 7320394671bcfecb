"""Is this name a model of OpenCV's zoo, and how is it built?"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lucida.errors import ModelError
from lucida.models.hub.snapshot import digest_of
from lucida.models.needs import ImageNeeds
from lucida.models.onnx.family import PREFIX, is_bare
from lucida.models.onnx.yolo.header import read_header
from lucida.models.opencv_zoo.files import locate
from lucida.models.opencv_zoo.known import KNOWN, PLATES, SFACE, YUNET, Known, known_as
from lucida.models.opencv_zoo.layouts import CROP, is_grid, is_priors, is_vector, unknown_layout
from lucida.models.spec import Gives, Model, Precision, Spec, Trial

if TYPE_CHECKING:
    from lucida.models.onnx.yolo.header import Header

VERSION: Final = "1"  # raised whenever the same file gives other results


class ZooFamily:
    """ "yunet", "lpd-yunet", "sface"; their repositories on the hub; or a file that came from there."""

    name = "opencv-zoo"

    def names(self) -> list[str]:
        """Return none: which of them are at hand is not known without looking."""
        return []

    def suggestions(self) -> list[str]:
        """Return names that may be asked for."""
        return [one.name for one in KNOWN]

    def claims(self, name: str) -> bool:
        """Tell whether a name is a model of this family."""
        return known_as(name) is not None or _kind_of(_path(name)) is not None

    def spec(self, name: str, home: Path | None = None) -> Spec:
        """Return the spec of a model.

        Raises:
            ModelError: It is not to be had, or its file is not what it must be.
        """
        known = known_as(name)
        if known is not None:
            revision = name.partition("@")[2]
            shown = f"{known.uri}@{revision}" if revision else known.name
            return zoo_spec(known, locate(known, revision or None), shown)
        path = _path(name)
        kind = _kind_of(path)
        assert kind is not None, "asked only for what it claims"
        return zoo_spec(kind, path, f"{PREFIX}{path.resolve()}")

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licence of a model's weights."""
        known = known_as(name) or _kind_of(_path(name))
        return known.licence if known else "not stated"


def _path(name: str) -> Path:
    return Path(name.removeprefix(PREFIX)).expanduser()


def _kind_of(path: Path) -> Known | None:
    """Return what a file without a TOML is, by its outputs, or by its name where that is one of the zoo's."""
    if not is_bare(path):
        return None
    named = next((one for one in KNOWN if path.name.startswith(one.stem)), None)
    try:
        return named or _by_outputs(read_header(path))
    except ModelError:
        # What is wrong with it is said by the family of all other files.
        return None


def _by_outputs(header: Header) -> Known | None:
    kinds = ((YUNET, is_grid), (PLATES, is_priors), (SFACE, is_vector))
    return next((known for known, fits in kinds if fits(header)), None)


def zoo_spec(known: Known, file: Path, name: str) -> Spec:
    """Return the spec of a file.

    Raises:
        ModelError: The file is damaged, or gives other outputs than such a model.
    """
    header = read_header(file)
    if _by_outputs(header) is not known:
        raise unknown_layout(known, header, file)
    vectors = known is SFACE
    dimensions = int(next(iter(header.outputs.values()))[1] or 0) if vectors else 0
    return Spec(
        name=name,
        family=ZooFamily.name,
        tasks=(known.task,),
        needs=ImageNeeds(CROP, scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)
        if vectors
        else ImageNeeds(640, resize="fit"),
        gives=Gives(dimensions, classes=(known.finds,) if known.finds else (), least=known.least),
        licence=known.licence,
        source=f"https://huggingface.co/{known.repository}",
        revision=f"{digest_of(file)[:12]}+{VERSION}",
        note=known.note,
        build=partial(_build, file),
    )


def _build(file: Path, spec: Spec, precision: Precision, trial: Trial | None) -> Model:
    if "faces" in spec.tasks:
        from lucida.models.opencv_zoo.recogniser import FaceVectors

        return FaceVectors(spec, file, precision)
    from lucida.models.opencv_zoo.detector import ZooDetector

    return ZooDetector(spec, file, precision)
