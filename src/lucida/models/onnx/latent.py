"""Latents of images: what a VAE makes of them, between two of them, and sums and differences of what they show.

>>> from lucida.models import find
>>> from lucida.models.onnx.latent import arithmetic, decode, encode, interpolate
>>> model = find("onnx:my-vae").load()  # doctest: +SKIP
>>> smiling, neutral, other = encode(model, photos)  # doctest: +SKIP
>>> (changed,) = decode(model, arithmetic(smiling, other, neutral)[None])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lucida.errors import InputError, ModelError, UnknownName
from lucida.models.generator import Picture, finite
from lucida.models.onnx.generating import OnnxGenerator, to_colours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.generator import Given
    from lucida.models.spec import Model

NEARLY = 1e-4  # radians between two latents, below which the straight line is as good as the arc
MOST = 1000  # pictures between two


def encode(model: Model, images: Sequence[NDArray[np.uint8]], label: str = "") -> NDArray[np.float32]:
    """Return the latents of images, float32 (n, channels, height, width).

    Args:
        model: A running VAE, or a model that draws the latents of one.
        images: uint8 (side, side, 3) each, of the side of the model's pictures.
        label: Class that they show, of a model that is told; "" for none.

    Raises:
        ModelError: The model has no latents.
        InputError: An image is of another size, or there are none.
        UnknownName: There is no such class.
    """
    own = _with_latents(model)
    side = own.card.side
    for image in images:
        if image.shape != (side, side, 3) or image.dtype != np.uint8:
            raise InputError(
                "An image is not what the model reads.",
                expected=f"uint8 ({side}, {side}, 3)",
                got=f"{image.dtype} {image.shape}",
                hint="cut and resize it first",
            )
    if not images:
        raise InputError("There are no images.", expected="one or more", got="none")
    return own.networks.encode(to_colours(images), _labels(own, label, len(images)))


def decode(model: Model, latents: NDArray[np.float32], label: str = "") -> NDArray[np.uint8]:
    """Return the pictures of latents, uint8 (n, side, side, 3).

    Args:
        model: As for `encode`.
        latents: float32 (n, channels, height, width).
        label: Class that they are to show, of a model that is told; "" for none.

    Raises:
        ModelError: The model has no latents, or drew values that are no numbers.
        InputError: The latents are of another shape.
        UnknownName: There is no such class.
    """
    own = _with_latents(model)
    if latents.ndim != 4 or latents.shape[1:] != own.card.shape:
        raise InputError(
            "These are no latents of this model.",
            expected=f"float32 (n, {', '.join(map(str, own.card.shape))})",
            got=f"{latents.dtype} {latents.shape}",
        )
    colours = own.networks.decode(np.asarray(latents, np.float32), _labels(own, label, len(latents)))
    return finite((colours + 1) / 2, own.spec, "other latents").transpose(0, 2, 3, 1).copy()


def mix(a: NDArray[np.float32], b: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return latents on the way from one to another, both included, along the arc between them.

    In many dimensions latents lie near a sphere: the middle of the straight line is nothing that was ever drawn.

    Args:
        a: float32, any shape.
        b: float32 of the same shape.
        count: How many; one alone is the middle.

    Returns:
        float32 (count, *shape).

    Source: Shoemake 1985, Animating Rotation with Quaternion Curves; White 2016, Sampling Generative Networks.
    """
    if a.shape != b.shape:
        raise InputError("Two latents are not of one shape.", expected=f"{a.shape}", got=f"{b.shape}")
    shares = _shares(count)
    x, y = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(x) * np.linalg.norm(y)
    angle = float(np.arccos(np.clip((x * y).sum() / lengths, -1, 1))) if lengths > 0 else 0.0
    straight = angle < NEARLY or np.pi - angle < NEARLY
    rows = [
        (1 - t) * x + t * y if straight else (np.sin((1 - t) * angle) * x + np.sin(t * angle) * y) / np.sin(angle)
        for t in shares
    ]
    return np.asarray(rows, np.float32)


def arithmetic(a: NDArray[np.float32], plus: NDArray[np.float32], minus: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `a + plus - minus`: `a` changed as `minus` would have to be to become `plus`.

    Each may be one latent or, better, the mean of those of several images that have something in common.

    Source: Radford et al. 2016, DCGAN, after Mikolov et al. 2013.
    """
    return np.asarray(a + (plus - minus), np.float32)


def interpolate(model: Model, a: Given, b: Given, count: int, label: str = "") -> list[Picture]:
    """Draw the way from one image to another.

    Args:
        model: As for `encode`.
        a: The first image, of the side of the model's pictures.
        b: The last one.
        count: How many pictures, those of `a` and `b` as the model draws them included; one alone is the middle.
        label: As for `encode`.

    Returns:
        Pictures whose detail holds "share", 0 for `a` to 1 for `b`.

    Raises:
        ModelError: The model has no latents.
        InputError: An image is of another size, or the count is none.
        UnknownName: There is no such class.
    """
    shares = _shares(count)
    first, last = encode(model, [a.pixels, b.pixels], label)
    drawn = decode(model, mix(first, last, count), label)
    return [Picture(pixels, 0, {"share": round(t, 6)}) for pixels, t in zip(drawn, shares, strict=True)]


def _shares(count: int) -> list[float]:
    if not 1 <= count <= MOST:
        raise InputError("So many pictures between two cannot be.", expected=f"1 to {MOST:,}", got=str(count))
    return [0.5] if count == 1 else [i / (count - 1) for i in range(count)]


def _with_latents(model: Model) -> OnnxGenerator:
    if isinstance(model, OnnxGenerator) and model.card.encoder is not None:
        return model
    raise ModelError(
        f"The model {model.spec.name!r} has no latents of images.",
        expected="a VAE with its encoder, or what draws the latents of one",
        got=f"method {model.card.method}" if isinstance(model, OnnxGenerator) else f"family {model.spec.family}",
        hint="lucida train generator --data DIR --model vae makes one",
    )


def _labels(model: OnnxGenerator, label: str, n: int) -> NDArray[np.int64]:
    classes = model.card.classes
    if label and label not in classes:
        raise UnknownName("class", label, classes or ["(it has none)"], hint=f"of {model.spec.name}")
    return np.full(n, classes.index(label) if label else len(classes))
