"""What the labels of the data are to a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lucida.errors import InputError

if TYPE_CHECKING:
    from lucida.data import Samples


def check_labels(labels: Iterable[str], classes: Sequence[str], model: str) -> None:
    """Refuse data with labels that the model does not know.

    Raises:
        InputError: There are some; all are named.
    """
    known = set(classes)
    unknown = Counter(label for label in labels if label not in known)
    if unknown:
        named = ", ".join(f"{label!r} ({count:,})" for label, count in unknown.most_common(12))
        raise InputError(
            f"The data has labels that {model} does not know: {named}{' …' if len(unknown) > 12 else ''}.",
            expected=f"labels among {', '.join(classes[:12])}{' …' if len(classes) > 12 else ''}",
            got=f"{len(unknown):,} others",
            hint="rename them in the data, or leave these images out",
        )


def missing_note(present: Iterable[str], classes: Sequence[str]) -> list[str]:
    """Say which classes no image shows."""
    there = set(present)
    absent = [name for name in classes if name not in there]
    if not absent:
        return []
    named = ", ".join(map(repr, absent[:8])) + (f" and {len(absent) - 8:,} more" if len(absent) > 8 else "")
    return [f"No image shows {named}: what is averaged over classes leaves them out."]


def labelled(samples: Samples) -> tuple[Samples, list[str]]:
    """Return the images of which something is known, and say how many others there are.

    Raises:
        InputError: There are none.
    """
    rows = [row for row, sample in enumerate(samples) if sample.target is not None]
    if not rows:
        raise InputError(
            "There is nothing to judge a model by.",
            expected="images with labels",
            got=f"{len(samples):,} images, none with a label",
            hint="--data NAMES a place with labels",
        )
    left = len(samples) - len(rows)
    return samples.take(rows), [f"{left:,} images without a label are left out."] if left else []


def none_read(skipped: dict[str, str]) -> InputError:
    """Return the error for data of which no image can be read."""
    name, why = next(iter(skipped.items()), ("", "no images"))
    return InputError(
        "None of the images can be read.", expected="images", got=f"{name}: {why}", hint="check the data with a viewer"
    )
