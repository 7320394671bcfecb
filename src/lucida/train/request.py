"""What a person asked to be trained, before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lucida.data.sample import TEST, TRAIN, VALIDATION
from lucida.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.data import Samples
    from lucida.models.needs import ImageNeeds
    from lucida.train.teacher import Teacher


@dataclass(frozen=True)
class Request:
    """What is to be trained, from what.

    Attributes:
        samples: Images with their targets, every one with its split.
        model: Name of the network; "" for the recipe's own.
        start: What its weights begin from: "auto", "hub", "nothing", or the folder of a run.
        tune: "full", "probe" or "lora".
        size: Side of the images in pixels; None for the network's own.
        augmentation: "auto", "none", "light", "medium", "strong".
        seed: Decides what the weights begin from.
        extra: What only one recipe reads, by name.
        teacher: Who is learned from, where somebody is.
        folder: Of the run, for what must be found again when it goes on; None where nothing is to be kept.
        channels: What is looked at of images: "rgb" of 8 bits, "raw" for all that is stored, or "auto".
        like: A model whose images are to be prepared in the same way; None to go by these images.
    """

    samples: Samples
    model: str = ""
    start: str = "auto"
    tune: str = "full"
    size: int | None = None
    augmentation: str = "auto"
    seed: int = 0
    extra: dict[str, Any] = field(default_factory=dict)
    teacher: Teacher | None = None
    folder: Path | None = None
    channels: str = "auto"
    like: ImageNeeds | None = None

    @property
    def train(self) -> Samples:
        """Return the images to train on.

        Raises:
            InputError: There are none; a test part is never trained on.
        """
        found = self.samples.of(TRAIN)
        if not len(found):
            splits = ", ".join(f"{count} of {name or 'no split'}" for name, count in self.samples.splits.items())
            raise InputError(
                "There is no training part.",
                expected="images of the split 'train'; a test part is never trained on",
                got=splits or "no images",
                hint=f"name the folder above, which also holds the training part of {self.samples.origin}",
            )
        return found

    @property
    def validation(self) -> Samples:
        """Return the images that training is judged by while it goes on.

        Raises:
            InputError: There are none.
        """
        found = self.samples.of(VALIDATION)
        if not len(found):
            raise InputError(
                "There is no validation part.",
                expected=f"images of the split {VALIDATION!r}, other than those of {TEST!r}",
                got=", ".join(self.samples.splits) or "no images",
                hint="leave the splits out, and a part is set aside",
            )
        return found
