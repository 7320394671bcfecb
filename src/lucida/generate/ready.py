"""From what a person asks to what a model can draw: everything checked, all images of one size that it knows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import InputError, ModelError, UnknownName
from lucida.generate.control import control_image
from lucida.generate.patch import Patch, patch_of
from lucida.models.generator import CONTROLS, GenerateNeeds, GenerationRequest, Given, generate_needs
from lucida.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lucida.generate.order import Order
    from lucida.models.spec import Spec

COVERED: Final = 32  # of 255: what a soft brush touched is meant
# How far from the image a picture goes, and how strongly a control or reference counts, where nothing is said.
USUAL: Final = {"mask": 1.0, "image": 0.7, "control_image": 1.0, "reference": 0.6}
ALIKE: Final = 0.02  # of the ratio of width and height, by which two images may differ and still be one


@dataclass(frozen=True, eq=False)
class Ready:
    """What a model is asked, and what its pictures are put into.

    Attributes:
        request: For the model.
        patch: Where in the image its pictures belong; None where they stand alone.
        control: The control image, where there is one, to be shown.
        notes: What a person should know, a sentence each.
    """

    request: GenerationRequest
    patch: Patch | None
    control: Given | None
    notes: tuple[Note, ...]


def ready(order: Order, images: dict[str, Given], spec: Spec) -> Ready:
    """Check an order against a model, and prepare its images.

    Args:
        order: What is asked.
        images: What `order.read` gave.
        spec: The model.

    Raises:
        InputError: It cannot be.
        UnknownName: No such control or sampler.
        ModelError: The model cannot.
        MissingExtra: A control image cannot be made here.
    """
    needs = generate_needs(spec)
    _check_numbers(order, needs, spec.name)
    _check_abilities(order, images, needs, spec.name)
    notes: list[Note] = []
    image, control = images.get("image"), images.get("control_image")
    mask = _mask(images)
    if order.control and control is None:
        assert image is not None, "checked before"
        control, how = control_image(image, order.control)
        notes.append(how)
        # A photo that only says where things are is not begun from.
        image = None if mask is None else image
    elif control is not None and image is not None:
        _same_shape(image, control)
    patch = None
    if mask is not None:
        assert image is not None, "checked before"
        patch = patch_of(image.pixels, mask.pixels, needs)
        size, notes = patch.size, [*notes, *_of_mask(mask, patch)]
        image, mask = replace(image, pixels=patch.image), replace(mask, pixels=patch.mask)
        control = replace(control, pixels=patch.cut(control.pixels)) if control else None
    else:
        size = _size(order, image or control, needs)
        image, control = (_covering(given, size, notes) for given in (image, control))
    used = {"mask": mask, "image": image, "control_image": control, "reference": images.get("reference")}
    usual = next((USUAL[name] for name, given in used.items() if given is not None), 1.0)
    strength = order.strength if order.strength is not None else usual
    request = GenerationRequest(
        order.prompt, order.negative, image, mask, order.control, control, images.get("reference"), strength,
        order.steps, order.guidance, order.sampler, size, order.lora_list(),
    )  # fmt: skip
    return Ready(request, patch, control, tuple(notes))


def _check_numbers(order: Order, needs: GenerateNeeds, name: str) -> None:
    numbers = (
        ("strength", order.strength, 0.0, 1.0, "above 0, up to 1"),
        ("steps", order.steps, 0, needs.most_steps, f"1 to {needs.most_steps:,}"),
        ("guidance", order.guidance, -1e-9, 100.0, "0 to 100"),
    )
    for option, value, above, most, expected in numbers:
        if value is not None and not (math.isfinite(value) and above < value <= most):
            raise InputError(f"--{option} cannot be so.", expected=expected, got=f"{value:,}",
                             hint="leave it out for what is usual")  # fmt: skip
    if order.guidance is not None and not needs.guidance and order.guidance not in (0, 1):
        raise InputError(f"{name} takes no guidance.", expected="no --guidance", got=f"{order.guidance:g}")
    if order.sampler and order.sampler not in needs.samplers:
        raise UnknownName("sampler", order.sampler, needs.samplers or ["(it has only one)"], hint=f"{name} has these")
    if order.size is not None:
        width, height = order.size
        near = needs.nearest(width, height) if min(order.size) > 0 else needs.size
        if near != (width, height):
            raise InputError(
                f"{name} cannot draw {width} x {height}.",
                expected=needs.drawn,
                got=f"{width} x {height}",
                hint=f"--size {near[0]} {near[1]}, the nearest",
            )


def _check_abilities(order: Order, images: dict[str, Given], needs: GenerateNeeds, name: str) -> None:
    if order.control and order.control not in CONTROLS:
        raise UnknownName("control", order.control, CONTROLS)
    if order.control and not {"image", "control_image"} & set(images):
        raise InputError(
            f"There is nothing to take {order.control} from.",
            expected="--image PHOTO, or --control-image of a control image that is ready",
            got="neither",
        )
    if "control_image" in images and not order.control:
        raise InputError(
            "What the control image is was not said.", expected=f"--control {' | '.join(CONTROLS)}", got=""
        )
    if "mask" in images and "image" not in images:
        raise InputError("A mask needs an image.", expected="--image PHOTO --mask MASK", got="--mask alone")
    alone = "image" in images and not order.control
    asked: list[tuple[bool, bool, str, str]] = [
        (alone and "mask" not in images, needs.image, "begin from an image", "leave --image out"),
        ("mask" in images, needs.mask, "draw anew what a mask covers", "leave --mask out"),
        (bool(order.control), order.control in needs.controls, f"follow {order.control}", _others(needs)),
        ("reference" in images, needs.reference, "take the style from an image", "leave --reference out"),
        (bool(order.loras), needs.loras, "take LoRAs", "leave --lora out"),
        (bool(order.negative), needs.negative, "be told what not to draw", "leave --negative out"),
    ]
    for wanted, able, what, hint in asked:
        if wanted and not able:
            raise ModelError(f"{name} cannot {what}.", expected=f"a model that can {what}", hint=hint)


def _others(needs: GenerateNeeds) -> str:
    return f"--control {' or '.join(needs.controls)}" if needs.controls else "another --model; sd15 and sdxl can"


def _mask(images: dict[str, Given]) -> Given | None:
    given = images.get("mask")
    if given is None:
        return None
    if given.size != images["image"].size:
        raise InputError(
            "The mask is not of the size of the image.",
            expected="{} x {} pixels".format(*images["image"].size),
            got="{} x {}".format(*given.size),
            hint="make it anew from the image, without cutting it",
        )
    covered = given.pixels.max(axis=2) >= COVERED
    if not covered.any():
        raise InputError(
            "The mask covers nothing.",
            expected="white where is to be drawn anew, black elsewhere",
            got="an image that is all black",
            hint="if it is the other way round, invert it",
        )
    return replace(given, pixels=covered * np.uint8(255))


def _of_mask(mask: Given, patch: Patch) -> Iterator[Note]:
    if bool((mask.pixels > 0).all()):
        yield Note("mask_whole", "The mask covers the whole image: all of it is drawn anew.")
    if patch.small:
        wide, high = patch.size
        said = "The place is drawn at {width} x {height} pixels and enlarged to the photo's."
        yield Note("mask_small", said, width=wide, height=high)


def _same_shape(image: Given, control: Given) -> None:
    ours, theirs = (one.size[0] / one.size[1] for one in (image, control))
    if abs(ours / theirs - 1) > ALIKE:
        raise InputError(
            "The control image has another shape than the image.",
            expected=f"{image.size[0]} x {image.size[1]} pixels, or as wide for its height",
            got=f"{control.size[0]} x {control.size[1]}",
            hint="cut one of them to the other's shape",
        )


def _size(order: Order, given: Given | None, needs: GenerateNeeds) -> tuple[int, int]:
    """Return the size of the pictures: as asked, else of the shape of an image and the model's usual area."""
    if order.size is not None:
        return order.size
    if given is None:
        return needs.size
    width, height = given.size
    scale = math.sqrt(needs.size[0] * needs.size[1] / (width * height))
    # An image that is a size of the model's, and not much larger or smaller than usual, stays as it is.
    if needs.nearest(width, height) == given.size and 0.5 <= scale <= 1.5:
        return given.size
    return needs.nearest(round(width * scale), round(height * scale))


def _covering(given: Given | None, size: tuple[int, int], notes: list[Note]) -> Given | None:
    """Return an image at a size, cut at two sides where its shape is another."""
    if given is None or given.size == size:
        return given
    from PIL import Image as Pillow
    from PIL import ImageOps

    width, height = given.size
    if abs(width / height / (size[0] / size[1]) - 1) > ALIKE:
        said = "The image of {width} x {height} was cut to the shape of {wide} x {high}."
        notes.append(Note("image_cut", said, width=width, height=height, wide=size[0], high=size[1]))
    found: NDArray[Any] = np.asarray(ImageOps.fit(Pillow.fromarray(given.pixels), size, Pillow.Resampling.LANCZOS))
    return replace(given, pixels=found)
