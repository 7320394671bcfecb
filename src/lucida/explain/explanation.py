"""What is said of each photo: the class, where the model looked, and what it was reminded of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucida.explain.heat import Dependence
    from lucida.explain.nearest import Near


@dataclass(frozen=True)
class Explanation:
    """One photo.

    Attributes:
        image: Its name.
        label: The class that is explained: the likeliest, that of the surest box, or "odd".
        score: Its probability; of an oddity 1 is the threshold.
        said: Both in words.
        truth: What it is, where that is known and one class or a few tags; "" where not.
        right: Whether the class is among these.
        heat: File of the photo with the heat map over it, and the box that is explained.
        layer: Of the network, whose map was read.
        dependence: Whether the map depends on the weights; None where the map is the answer itself.
        flat: Whether nothing in the photo speaks for the class.
        box: Left, top, right, bottom of the object that is explained, in pixels; None where there is none.
        nearest: Training images that it resembles, the likest first.
    """

    image: str
    label: str
    score: float
    said: str
    truth: str
    right: bool
    heat: str
    layer: str
    dependence: Dependence | None
    flat: bool
    box: tuple[float, float, float, float] | None
    nearest: tuple[Near, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "image": self.image,
            "label": self.label,
            "score": round(self.score, 6),
            "truth": self.truth,
            "heat": self.heat,
            "layer": self.layer,
            "weights": self.dependence.to_json() if self.dependence else None,
            "flat": self.flat,
            "box": [round(side, 1) for side in self.box] if self.box else None,
            "nearest": [near.to_json() for near in self.nearest],
        }

    def __str__(self) -> str:
        wrong = f" (is {self.truth})" if self.truth and not self.right else ""
        lines = [f"{self.image}: {self.said}{wrong}; {self.heat}"]
        if self.dependence:
            lines.append(f"  The map {self.dependence}.")
        if self.flat:
            lines.append("  Nothing in the photo speaks for this class: the map is empty.")
        if self.nearest:
            alike = ", ".join(f"{near.name} ({near.label}, {near.likeness:.2f})" for near in self.nearest[:3])
            lines.append(f"  Most like: {alike}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Explained:
    """All photos.

    Attributes:
        run: The model.
        layer: Whose maps were read; several are separated by commas.
        photos: One each.
        report: All of them on one HTML page.
        skipped: Photos that could not be read, and why.
        notes: What a person should know, a sentence each.
    """

    run: str
    layer: str
    photos: tuple[Explanation, ...]
    report: str
    skipped: dict[str, str]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "run": self.run,
            "layer": self.layer,
            "photos": [photo.to_json() for photo in self.photos],
            "report": self.report,
            "skipped": self.skipped,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [str(photo) for photo in self.photos]
        lines += [f"{name} could not be read: {why}" for name, why in self.skipped.items()]
        return "\n".join([*lines, *self.notes, f"Maps of {self.layer}. All on one page: {self.report}"])
