"""Objects, the class of every pixel, and what is odd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lucida.errors import MissingExtra
from lucida.results import run_lengths
from lucida.results.item import Item

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of pixels, from row to row and from column to column, and the unit: "mm", "m" or "degree".
Spacing = tuple[float, float, str]


@dataclass(frozen=True, eq=False)
class Detections:
    """Objects found in an image, best first.

    Attributes:
        xyxy: Left, top, right, bottom of each, float32 (n, 4), in pixels of the image.
        confidence: Of each, float32 (n,), 0 to 1.
        class_id: Number of the class of each, int64 (n,).
        classes: Names of the classes.
        masks: The pixels of each as run lengths (see `lucida.results.run_lengths`), n of them; empty where only boxes
            are known.
        tracks: Number of each object over the frames of a video, int64 (n,); None in a single image.
        spacing: How far apart pixels lie in the world; None where the image does not say.
        points: Points of each that its model knows by number, such as eyes, nose and mouth of a face, float32
            (n, k, 2), across and down, in pixels of the image; None where there are none.
    """

    task: ClassVar[str] = "detect"
    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    class_id: NDArray[np.int64]
    classes: tuple[str, ...]
    masks: tuple[dict[str, Any], ...] = ()
    tracks: NDArray[np.int64] | None = None
    spacing: Spacing | None = None
    points: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.xyxy)

    @property
    def labels(self) -> tuple[str, ...]:
        """The class of each object."""
        return tuple(self.classes[k] for k in self.class_id.tolist())

    def take(self, rows: NDArray[Any] | Sequence[int]) -> Detections:
        """Return some of them.

        Args:
            rows: Numbers, or a bool (n,).
        """
        chosen = np.arange(len(self))[np.asarray(rows)] if len(np.asarray(rows)) else np.zeros(0, np.int64)
        return replace(
            self,
            xyxy=self.xyxy[chosen],
            confidence=self.confidence[chosen],
            class_id=self.class_id[chosen],
            masks=tuple(self.masks[row] for row in chosen.tolist()) if self.masks else (),
            tracks=None if self.tracks is None else self.tracks[chosen],
            points=None if self.points is None else self.points[chosen],
        )

    def above(self, confidence: float) -> Detections:
        """Return those that are at least so sure."""
        return self.take(self.confidence >= confidence)

    def mask(self, row: int) -> NDArray[np.bool_]:
        """Return the pixels of one object, bool (height, width)."""
        return run_lengths.decode(self.masks[row])

    def sizes(self) -> NDArray[np.float64]:
        """Return width and height of each box in the unit of the spacing, float64 (n, 2); in pixels without one."""
        sides = (self.xyxy[:, 2:] - self.xyxy[:, :2]).astype(np.float64)
        return sides if self.spacing is None else sides * (self.spacing[1], self.spacing[0])

    def items(self) -> tuple[Item, ...]:
        """Return it as statements: the image, then an object each."""
        return (
            Item(None, None, {"count": len(self), **_spaced(self.spacing)}),
            *(self._item(row) for row in range(len(self))),
        )

    def _item(self, row: int) -> Item:
        detail: dict[str, Any] = {"box": self.xyxy[row].round(2).tolist()}
        if self.masks:
            detail["mask"] = self.masks[row]
        if self.tracks is not None:
            detail["track"] = int(self.tracks[row])
        if self.points is not None:
            detail["points"] = self.points[row].round(2).tolist()
        score = min(1.0, max(0.0, round(float(self.confidence[row]), 6)))
        return Item(self.classes[int(self.class_id[row])], score, detail)

    @classmethod
    def of_items(cls, items: Sequence[Item]) -> Detections:
        """Return what these statements came from; classes that no object has are not known any more."""
        objects = items[1:]
        classes = tuple(dict.fromkeys(item.label or "" for item in objects))
        tracks = [item.detail.get("track") for item in objects]
        masks = tuple(item.detail["mask"] for item in objects if "mask" in item.detail)
        points = [item.detail["points"] for item in objects if "points" in item.detail]
        return cls(
            np.array([item.detail["box"] for item in objects], np.float32).reshape(-1, 4),
            np.array([1.0 if item.score is None else item.score for item in objects], np.float32),
            np.array([classes.index(item.label or "") for item in objects], np.int64),
            classes,
            masks if len(masks) == len(objects) else (),
            np.array(tracks, np.int64) if tracks and None not in tracks else None,
            _spacing_of(items),
            np.array(points, np.float32) if points and len(points) == len(objects) else None,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values; with a spacing, also the width and height of each object in its unit."""
        objects = [
            {"label": item.label, "score": round(item.score or 0.0, 4), **item.detail} for item in self.items()[1:]
        ]
        if self.spacing is None:
            return {"objects": objects}
        sized = [{**one, "size": _short(size)} for one, size in zip(objects, self.sizes().tolist(), strict=True)]
        return {"objects": sized, **_spaced(self.spacing)}

    def to_supervision(self) -> Any:
        """Return them as `supervision.Detections`, the type that many tools of this field share.

        Raises:
            MissingExtra: supervision is not installed.
        """
        try:
            import supervision
        except ImportError as error:
            raise MissingExtra("supervision", "see", "Handing objects to other tools") from error
        masks = np.stack([self.mask(row) for row in range(len(self))]) if self.masks else None
        return supervision.Detections(
            xyxy=self.xyxy,
            mask=masks,
            confidence=self.confidence,
            class_id=self.class_id.astype(int),
            tracker_id=None if self.tracks is None else self.tracks.astype(int),
            data={"class_name": np.array(self.labels, dtype=str)},
        )


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The class of every pixel of an image.

    Attributes:
        mask: Numbers of classes, uint8 or int32 (height, width).
        classes: Names of the classes; the first is the background where there is one.
        confidence: Probability of the class that was chosen, float32 (height, width).
        spacing: How far apart pixels lie in the world; None where the image does not say.
    """

    task: ClassVar[str] = "segment"
    mask: NDArray[np.integer[Any]]
    classes: tuple[str, ...]
    confidence: NDArray[np.float32] | None = None
    spacing: Spacing | None = None

    def areas(self) -> dict[str, float] | None:
        """Return the area of each class in the square of the spacing's unit; None without one, and for degrees.

        A degree of longitude is as long as its latitude has it: of these no area is known.
        """
        if self.spacing is None or self.spacing[2] == "degree":
            return None
        counts = np.bincount(self.mask.ravel(), minlength=len(self.classes)) * (self.spacing[0] * self.spacing[1])
        return {name: float(f"{area:.6g}") for name, area in zip(self.classes, counts.tolist(), strict=False)}

    def shares(self) -> dict[str, float]:
        """Return the share of pixels of each class."""
        counts = np.bincount(self.mask.ravel(), minlength=len(self.classes)) / max(1, self.mask.size)
        return {name: round(float(share), 6) for name, share in zip(self.classes, counts, strict=False)}

    def items(self) -> tuple[Item, ...]:
        """Return it as statements: the image, then a class each that some pixel has, with its pixels."""
        found = np.unique(self.mask).tolist()
        whole = Item(None, None, {"shares": self.shares(), "classes": list(self.classes), **_spaced(self.spacing)})
        return (whole, *(self._item(number) for number in found))

    def _item(self, number: int) -> Item:
        pixels = self.mask == number
        sure = None if self.confidence is None else round(float(np.clip(self.confidence[pixels].mean(), 0, 1)), 6)
        return Item(self.classes[number], sure, {"mask": run_lengths.encode(pixels), "class": number})

    @classmethod
    def of_items(cls, items: Sequence[Item]) -> Segmentation:
        """Return what these statements came from; how sure each pixel was is not known any more."""
        classes = tuple(items[0].detail["classes"])
        height, width = items[1].detail["mask"]["size"]
        mask = np.zeros((height, width), np.uint8 if len(classes) < 256 else np.int32)
        for item in items[1:]:
            mask[run_lengths.decode(item.detail["mask"])] = item.detail["class"]
        return cls(mask, classes, spacing=_spacing_of(items))

    def to_json(self) -> dict[str, Any]:
        """Return the share of pixels of each class, and its area where that is known; the mask itself is for files."""
        areas = self.areas()
        return {"shares": self.shares(), **({"areas": areas} if areas else {}), **_spaced(self.spacing)}


@dataclass(frozen=True, eq=False)
class Oddness:
    """How odd an image is, and where.

    Attributes:
        score: Larger is odder; 1 is the threshold that was set in training.
        heat: The same for every place, float32 (height, width); (0, 0) where only the score is known.
    """

    task: ClassVar[str] = "anomaly"
    score: float
    heat: NDArray[np.float32]

    def items(self) -> tuple[Item, ...]:
        """Return it as one statement; the map is not kept."""
        return (Item("odd" if self.score >= 1 else "normal", None, {"oddness": round(self.score, 6)}),)

    @classmethod
    def of_items(cls, items: Sequence[Item]) -> Oddness:
        """Return what this statement came from, without its map."""
        return cls(float(items[0].detail["oddness"]), np.zeros((0, 0), np.float32))

    def to_json(self) -> dict[str, Any]:
        """Return plain values; the map itself is for files."""
        return {"score": round(self.score, 6), "odd": self.score >= 1}


def _short(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _spaced(spacing: Spacing | None) -> dict[str, Any]:
    """Return what is kept of a spacing: from row to row, from column to column, and the unit."""
    return {} if spacing is None else {"spacing": list(spacing)}


def _spacing_of(items: Sequence[Item]) -> Spacing | None:
    found = items[0].detail.get("spacing")
    return (float(found[0]), float(found[1]), str(found[2])) if found else None
