"""The models of this family as a table: what each is for, where its file comes from, under which licence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lucida.models.spec import Task

FACE: Final = "face"
PLATE: Final = "licence plate"


@dataclass(frozen=True)
class Known:
    """One model.

    Attributes:
        name: What people type.
        repository: Of the hub: "opencv/face_detection_yunet".
        file: Its file there, in full precision.
        task: What it does.
        about: What it is good for.
        licence: Of its weights, as its authors state it.
        megabytes: Size of the file.
        note: What a person must know before relying on it.
        finds: The class of what it finds; "" for a model that finds nothing.
        least: Score from which what it finds is usually shown.
    """

    name: str
    repository: str
    file: str
    task: Task
    about: str
    licence: str
    megabytes: int
    note: str
    finds: str = ""
    least: float = 0.0

    @property
    def uri(self) -> str:
        """Where its file comes from."""
        return f"hf:{self.repository}"

    @property
    def stem(self) -> str:
        """What the names of all its files begin with, whatever their date."""
        return self.file.rpartition("_")[0]


YUNET: Final = Known(
    "yunet",
    "opencv/face_detection_yunet",
    "face_detection_yunet_2023mar.onnx",
    "detect",
    "faces, with five points each; fast",
    "MIT",
    1,
    "Finds faces, and does not know whose they are. Misses some: small, turned away, covered or blurred ones first.",
    FACE,
    0.6,
)
PLATES: Final = Known(
    "lpd-yunet",
    "opencv/license_plate_detection_yunet",
    "license_plate_detection_lpd_yunet_2023mar.onnx",
    "detect",
    "number plates, Chinese ones best; fast",
    "Apache-2.0",
    4,
    "Finds number plates. Trained on Chinese ones, so that others are missed more often: for these try owlv2 with the"
    " words 'licence plate', or a YOLO of your own.",
    PLATE,
    0.5,
)
SFACE: Final = Known(
    "sface",
    "opencv/face_recognition_sface",
    "face_recognition_sface_2021dec.onnx",
    "faces",
    "tells faces apart, for lucida faces",
    "Apache-2.0",
    39,
    "Gives a vector of a face that was cut out and turned upright by its five points. Such vectors are biometric data.",
)
KNOWN: Final = (YUNET, PLATES, SFACE)
NOTHING_SHIPS: Final = "Nothing that finds faces or number plates, or tells faces apart, ships in this package."


def known_as(name: str) -> Known | None:
    """Return the model that a name stands for: its short name in any case, or its repository, "[hf:]opencv/…"."""
    plain, bare = name.casefold().replace("_", "-"), name.removeprefix("hf:").partition("@")[0]
    return next((one for one in KNOWN if plain == one.name or bare == one.repository), None)
