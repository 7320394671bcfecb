"""A folder a class, and the layout of MVTec AD: what is normal, what is odd, and where it is odd."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Final

from PIL import Image as Pillow

from lucida.data.files import Omitted, folders_in, images_in, reader, size_of
from lucida.data.sample import Mask, Sample, Samples, Task
from lucida.data.source import SPLITS

TRUTH: Final = "ground_truth"
GOOD: Final = "good"
BACKGROUND: Final = "background"


class FolderFormat:
    """folder/class/*.jpg, or folder/split/class/*.jpg as `datasets` and torchvision read it."""

    name = "folder"
    layout = "a folder of images a class, FOLDER/CLASS/*.jpg or FOLDER/SPLIT/CLASS/*.jpg"
    tasks: tuple[Task, ...] = ("classify", "anomaly")

    def claims(self, path: Path, task: Task) -> bool:
        """Tell whether there are folders with images in them."""
        return bool(_class_folders(path))

    def read(self, path: Path, task: Task) -> Samples:
        """Read a place; images that lie in no class are left out and counted in the notes."""
        omitted = Omitted()
        items: list[Sample] = []
        for split, folder in _class_folders(path):
            label = folder.name
            images = images_in(folder, deep=True)
            items += [Sample(image.relative_to(path).as_posix(), reader(image), label, split) for image in images]
        held = {sample.name for sample in items}
        for image in images_in(path, deep=True):
            name = image.relative_to(path).as_posix()
            if name not in held and image.relative_to(path).parts[0] != TRUTH:
                omitted.add("images that lie in no folder of a class", name)
        classes = sorted({str(sample.target) for sample in items})
        return Samples(task, tuple(classes), tuple(items), path.as_posix(), omitted.notes())


def _class_folders(path: Path) -> list[tuple[str, Path]]:
    """Return the split and the folder of each class that has images."""
    outer = [folder for folder in folders_in(path) if folder.name != TRUTH]
    splits = [folder for folder in outer if folder.name.casefold() in SPLITS and folders_in(folder)]
    if splits:
        found = [(SPLITS[folder.name.casefold()], inner) for folder in splits for inner in folders_in(folder)]
    else:
        found = [("", folder) for folder in outer]
    return [(split, folder) for split, folder in found if images_in(folder, deep=True)]


class MvtecFormat:
    """test/<defect>/000.png with its mask in ground_truth/<defect>/000_mask.png; what is good has no mask.

    Source: P. Bergmann et al., "MVTec AD", CVPR 2019.
    """

    name = "mvtec"
    layout = "MVTec AD (train/good, test/<defect>, ground_truth/<defect>/*_mask.png)"
    tasks: tuple[Task, ...] = ("segment",)

    def claims(self, path: Path, task: Task) -> bool:
        """Tell whether there are a folder of masks and folders of images by defect."""
        return (path / TRUTH).is_dir() and bool(_class_folders(path))

    def read(self, path: Path, task: Task) -> Samples:
        """Read a place; an image of a defect without its mask is left out and counted in the notes."""
        omitted = Omitted()
        items: list[Sample] = []
        defects: set[str] = set()
        for split, folder in _class_folders(path):
            for image in images_in(folder):
                name = image.relative_to(path).as_posix()
                mask = _mask(path, folder.name, image)
                if mask is None:
                    omitted.add("images without a mask", name)
                    continue
                defects |= {folder.name} - {GOOD}
                items.append(Sample(name, reader(image), mask, split, {"defect": folder.name}))
        return Samples(task, (BACKGROUND, *sorted(defects)), tuple(items), path.as_posix(), omitted.notes())


def _mask(root: Path, defect: str, image: Path) -> Mask | None:
    if defect == GOOD:
        return Mask(partial(empty_mask, image), {0: BACKGROUND}, None)
    names = (f"{image.stem}_mask{image.suffix}", f"{image.stem}_mask.png", image.name)
    file = next((file for name in names if (file := root / TRUTH / defect / name).is_file()), None)
    return Mask(reader(file), {0: BACKGROUND, 255: defect}, None) if file else None


def empty_mask(image: Path) -> bytes:
    """Return a black PNG as large as an image; one pixel where that cannot be read."""
    out = io.BytesIO()
    Pillow.new("L", size_of(image) or (1, 1)).save(out, "PNG", compress_level=1)
    return out.getvalue()
