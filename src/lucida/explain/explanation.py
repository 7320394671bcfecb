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
        label: The class that is explained: the likeliest.
        score: Its probability.
        truth: What it is, where that is known; "" where not.
        heat: File of the photo with the heat map over it.
        dependence: Whether the map depends on the weights.
        flat: Whether nothing in the photo speaks for the class.
        nearest: Training images that it resembles, the likest first.
    """

    image: str
    label: str
    score: float
    truth: str
    heat: str
    dependence: Dependence
    flat: bool
    nearest: tuple[Near, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "image": self.image,
            "label": self.label,
            "score": round(self.score, 6),
            "truth": self.truth,
            "heat": self.heat,
            "weights": self.dependence.to_json(),
            "flat": self.flat,
            "nearest": [near.to_json() for near in self.nearest],
        }

    def __str__(self) -> str:
        wrong = f" (is {self.truth})" if self.truth and self.truth != self.label else ""
        lines = [f"{self.image}: {self.label} {self.score:.0%}{wrong}; {self.heat}", f"  The map {self.dependence}."]
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
        layer: Whose maps were read.
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
