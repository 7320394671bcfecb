"""Vectors of words, where a model's images and words lie in one space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lucida.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lucida.models.spec import Spec
    from lucida.serve.served import Served

PLAIN = ("{}",)  # the text as it is


def has_text_vectors(spec: Spec) -> bool:
    """Tell whether a model gives words vectors that are compared with those of images."""
    return spec.match is not None and spec.gives.words == "embedding" and "encode" in spec.tasks


def text_vectors(served: Served, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the vectors of some texts, unit float32 (n, d), in a thread that works.

    Raises:
        ModelError: The model matches words in another way than by a vector.
        InputError: A text is longer than the model reads.
    """
    found = served.spec.matcher([[text] for text in texts], templates=PLAIN).directions
    if found is None:
        raise no_text_vectors(served.name)
    return found


def no_text_vectors(name: str) -> ModelError:
    """Return the error for a model whose words have no vectors."""
    return ModelError(
        f"{name} gives no vectors of texts.",
        expected="images, or a model whose words and images lie in one space, such as siglip2",
        got="a text",
        hint="send an image as a data URL or content id; POST /v1/classify with classes matches words by any model",
    )
