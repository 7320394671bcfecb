"""Pascal VOC: an XML file of boxes an image, and masks whose palette is the classes.

Source: the VOC2012 development kit. XML that declares a document type is refused: entities could make a small file
fill the memory, or name files of this machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree
from xml.parsers import expat

from lucida.data.files import Omitted, folders_in, images_in, reader, size_of, whole_boxes
from lucida.data.sample import Boxes, Mask, Sample, Samples, Task
from lucida.data.source import SPLITS
from lucida.errors import InputError

if TYPE_CHECKING:
    from typing import NoReturn

# The order of the classes in the palette of the original's masks.
CLASSES: Final = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
LARGEST: Final = 4 * 2**20  # bytes of an XML file; a hundred objects take 30,000


class VocFormat:
    """Annotations/*.xml and SegmentationClass/*.png beside JPEGImages; splits by the lists in ImageSets."""

    name = "voc"
    layout = "Pascal VOC (JPEGImages/ with Annotations/*.xml or SegmentationClass/*.png)"
    tasks: tuple[Task, ...] = ("detect", "segment")

    def claims(self, path: Path, task: Task) -> bool:
        """Tell whether a place, or a folder in it, holds annotations for this task."""
        return bool(_roots(path, task))

    def read(self, path: Path, task: Task) -> Samples:
        """Read a place; what cannot be used is left out and counted in the notes.

        Raises:
            InputError: An XML file declares a document type or an entity.
        """
        omitted = Omitted()
        read = {"detect": _detect, "segment": _segment}[task]
        items: list[Sample] = []
        classes: list[str] = []
        for root in _roots(path, task):
            found, names = read(root, path, omitted)
            items += found
            classes += names
        if task == "detect":
            classes = sorted({label for sample in items for label in sample.labels})
        return Samples(task, tuple(dict.fromkeys(classes)), tuple(items), path.as_posix(), omitted.notes())


def _roots(path: Path, task: Task) -> list[Path]:
    folder, ending = {"detect": ("Annotations", "*.xml"), "segment": ("SegmentationClass", "*.png")}[task]
    nested = [inner for outer in folders_in(path) for inner in [outer, *folders_in(outer)]]
    found = [root for root in [path, *nested] if next((root / folder).glob(ending), None) is not None]
    return found[:1] if found[:1] == [path] else found


def _detect(root: Path, top: Path, omitted: Omitted) -> tuple[list[Sample], list[str]]:
    splits, images = _splits(root, "Main"), _images(root)
    items = []
    for file in sorted((root / "Annotations").glob("*.xml")):
        tree = parse_xml(file)
        image = images.get(file.stem)
        if tree is None:
            omitted.add("XML files that are broken", file.name)
        elif image is None:
            omitted.add("images whose file is missing", file.name)
        else:
            name = image.relative_to(top).as_posix()
            boxes = _boxes(tree, _size(tree) or size_of(image), omitted, name)
            items.append(Sample(name, reader(image), boxes, _split(splits, file.stem, root)))
    return items, []


def _segment(root: Path, top: Path, omitted: Omitted) -> tuple[list[Sample], list[str]]:
    splits, images = _splits(root, "Segmentation"), _images(root)
    names = _label_map(root) or list(CLASSES)
    items = []
    for file in sorted((root / "SegmentationClass").glob("*.png")):
        image = images.get(file.stem)
        if image is None:
            omitted.add("images whose file is missing", file.name)
            continue
        mask = Mask(reader(file), dict(enumerate(names)))
        name = image.relative_to(top).as_posix()
        items.append(Sample(name, reader(image), mask, _split(splits, file.stem, root)))
    return items, names


def _images(root: Path) -> dict[str, Path]:
    """Return the image files by stem; tools that copy the format keep them beside the XML, too."""
    places = (root / name for name in ("JPEGImages", "images", "Annotations", "."))
    found: dict[str, Path] = {}
    for place in places:
        for path in images_in(place):
            found.setdefault(path.stem, path)
    return found


def _splits(root: Path, task: str) -> dict[str, str]:
    """Return the split of each stem; train.txt and val.txt say more than trainval.txt."""
    found: dict[str, str] = {}
    for name in ("trainval", "train", "val", "test"):
        file = root / "ImageSets" / task / f"{name}.txt"
        if file.is_file():
            words = (line.split() for line in file.read_text("utf-8", "replace").splitlines())
            found |= {word[0]: SPLITS[name] for word in words if word}
    return found


def _split(splits: dict[str, str], stem: str, root: Path) -> str:
    return splits.get(stem) or SPLITS.get(root.name.casefold(), "")


def _label_map(root: Path) -> list[str]:
    """Return the classes of a labelmap.txt, as CVAT writes it: name:r,g,b:parts:actions."""
    file = root / "labelmap.txt"
    lines = file.read_text("utf-8", "replace").splitlines() if file.is_file() else []
    return [line.split(":")[0].strip() for line in lines if line.strip() and not line.startswith("#")]


def _size(tree: ElementTree.Element) -> tuple[int, int] | None:
    try:
        width, height = (int(float(tree.findtext(f"size/{side}") or 0)) for side in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 < height else None


def _boxes(tree: ElementTree.Element, size: tuple[int, int] | None, omitted: Omitted, where: str) -> Boxes:
    boxes, labels = [], []
    for thing in tree.iter("object"):
        name = (thing.findtext("name") or "").strip()
        try:
            left, top, right, bottom = (
                float(thing.findtext(f"bndbox/{side}") or "") for side in ("xmin", "ymin", "xmax", "ymax")
            )
        except ValueError:
            omitted.add("objects without a box", where)
            continue
        if not name:
            omitted.add("boxes without a class", where)
            continue
        # Counted from 1, the last pixel within.
        boxes.append((left - 1, top - 1, right, bottom))
        labels.append(name)
    return whole_boxes(boxes, labels, size, omitted, where)


def parse_xml(file: Path) -> ElementTree.Element | None:
    """Return the root of an XML file; None where it is broken or too large.

    Raises:
        InputError: It declares a document type or an entity.
    """
    try:
        if file.stat().st_size > LARGEST:
            return None
        data = file.read_bytes()
        first = expat.ParserCreate()

        def refuse(*_: object) -> NoReturn:
            raise InputError(
                f"{file} declares a document type, which could make it name other files or grow without end.",
                expected="XML without <!DOCTYPE",
                got="XML with one",
                hint="remove the declaration if the file is to be trusted",
            )

        first.StartDoctypeDeclHandler = refuse
        first.EntityDeclHandler = refuse
        first.Parse(data, True)
        return ElementTree.fromstring(data)
    except (OSError, expat.ExpatError, ElementTree.ParseError, ValueError, LookupError) as error:
        if isinstance(error, InputError):
            raise
        return None
