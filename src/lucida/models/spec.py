"""A model as data: the spec says what it is, `load` makes it run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from lucida.errors import InputError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.needs import ImageNeeds

Precision = Literal["auto", "fp32", "bf16"]
Task = Literal["encode", "classify", "words"]
Output = Literal["embedding", "logits"]


@dataclass(frozen=True)
class Gives:
    """What a model gives.

    Attributes:
        dimensions: Length of the vector of one image; 0 for a model that gives none.
        parts: Named slices of the vector, each of its own kind and scale; together they cover it.
        classes: Names of the classes that its logits stand for, in order.
        words: Which output is matched to words: "embedding" or "logits".
    """

    dimensions: int = 0
    parts: dict[str, slice] = field(default_factory=dict)
    classes: tuple[str, ...] = field(default=(), repr=False)
    words: Output = "embedding"


@dataclass(frozen=True)
class Spec:
    """One model: its tasks, needs, gives, licence and source.

    Attributes:
        name: Name under which it is found again: "embedded", "onnx:/models/encoder.toml".
        family: The folder of `lucida.models` that builds it.
        tasks: What it can do: "encode" (vectors), "classify" (its own classes), "words" (any words).
        needs: What it needs of an image.
        gives: What it gives.
        licence: Licence of its weights.
        source: Where it comes from.
        revision: What changes whenever its results may change.
        note: What a person must know before relying on it; with measured figures where there are some.
        build: Makes the running model of this spec, a precision, and a few prepared images (or None).
    """

    name: str
    family: str
    tasks: tuple[Task, ...]
    needs: ImageNeeds
    gives: Gives
    licence: str
    source: str
    revision: str
    note: str = ""
    build: Callable[[Spec, Precision, NDArray[np.float32] | None], Model] = field(
        repr=False, compare=False, default=lambda spec, precision, sample: Model(spec)
    )

    @property
    def key(self) -> str:
        """Name and revision: equal keys mean interchangeable vectors."""
        return f"{self.name}@{self.revision}"

    def load(self, precision: Precision = "auto", *, sample: NDArray[np.float32] | None = None) -> Model:
        """Make the model run.

        Args:
            precision: "fp32", "bf16", or "auto": bf16 where the processor has it and a check on a few images
                finds the result faithful.
            sample: A few prepared images, float32 (n, channels, height, width), to check the precision on.

        Raises:
            ModelError: Its files are damaged or no engine can run them.
        """
        return self.build(self, precision, sample)


class Model:
    """A running model. All methods may be called from several threads at once.

    Batches are float32 (n, channels, height, width) as `spec.needs.prepare` gives them, and are never changed.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    @property
    def engine(self) -> str:
        """What runs it, and at which precision."""
        return "none"

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return vectors float32 (n, dimensions)."""
        raise self._cannot("encode", "give vectors of images")

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return unnormalised log-probabilities float32 (n, classes) of the model's own classes."""
        raise self._cannot("classify", "name classes of its own")

    def matcher(self, descriptions: Sequence[Sequence[str]], *, none: bool = False) -> Matcher:
        """Return what scores images against words.

        Args:
            descriptions: For each class, one or more words or phrases that stand for it.
            none: Score "none of these" as well, as one more class at the end.
        """
        raise self._cannot("words", "match words")

    def _cannot(self, task: Task, what: str) -> ModelError:
        return ModelError(
            f"The model {self.spec.name!r} cannot {what}.",
            expected=f"a model with the task {task!r}",
            got=f"tasks {', '.join(self.spec.tasks)}",
            hint="--model embedded, or see `lucida models`",
        )


class Matcher:
    """Scores images against the words of some classes, from the output that `spec.gives.words` names.

    Attributes:
        notes: What a person should know of these scores, a sentence each.
    """

    notes: Sequence[str] = ()

    def logits(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return log-probabilities up to a constant an image, float32 (n, classes), of outputs (n, d)."""
        raise NotImplementedError


def check_rows(outputs: NDArray[np.float32], columns: int) -> None:
    """Refuse anything but float32 (n, columns).

    Raises:
        InputError: The array has another shape.
    """
    if outputs.ndim != 2 or outputs.shape[1] != columns:
        raise InputError("These vectors are not of this model.", expected=f"(n, {columns})", got=f"{outputs.shape}")
