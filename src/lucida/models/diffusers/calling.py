"""From a request to what a pipeline is called with, of whatever arguments it has."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import PIL.Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.diffusers.table import Family, Mode
    from lucida.models.generator import GenerateNeeds, GenerationRequest, Given

GREY: Final = 127
CONTROL: Final = 1.0  # how strongly a control counts where strength is said of the image
REFERENCE: Final = 0.6  # and a reference


def arguments(
    request: GenerationRequest, pipeline: Any, mode: Mode, family: Family, needs: GenerateNeeds
) -> dict[str, Any]:
    """Return what a pipeline is called with.

    Args:
        request: Made ready.
        pipeline: That is called.
        mode: What the request has.
        family: Of the pipeline.
        needs: Of the model.
    """
    known = inspect.signature(type(pipeline).__call__).parameters
    width, height = request.size or (request.image or request.control_image or needs).size
    guidance = needs.guidance if request.guidance is None else request.guidance
    steps = request.steps or needs.steps
    found: dict[str, Any] = {"prompt": request.prompt, family.scale: guidance, "height": height, "width": width}
    if family.negative:
        # With true guidance Qwen-Image needs a second prompt, if only an empty one.
        found["negative_prompt"] = request.negative or (" " if family.scale != "guidance_scale" else None)
    if "mask_image" in known:
        image, mask = request.image, request.mask
        found["image"] = _picture(image) if image else _plain(width, height, GREY, "RGB")
        found["mask_image"] = _picture(mask) if mask else _plain(width, height, 255, "L")
    elif request.image is not None:
        found["image"] = _picture(request.image)
    if request.control_image is not None:
        found[family.control if mode == "control" else "control_image"] = _picture(request.control_image)
        found["controlnet_conditioning_scale"] = request.strength if request.image is None else CONTROL
    if "strength" in known:
        found["strength"] = request.strength if request.image is not None else 1.0
        # Of few steps a small strength would leave none.
        steps = max(steps, math.ceil(1 / found["strength"] - 1e-9))
    if request.reference is not None:
        found["ip_adapter_image"] = _picture(request.reference)
    if "max_sequence_length" in known:
        found["max_sequence_length"] = needs.longest
    return {name: value for name, value in found.items() if name in known} | {"num_inference_steps": steps}


def _picture(given: Given) -> PIL.Image.Image:
    return PIL.Image.fromarray(given.pixels)


def _plain(width: int, height: int, value: int, mode: str) -> PIL.Image.Image:
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    pixels: NDArray[np.uint8] = np.full(shape, value, np.uint8)
    return PIL.Image.fromarray(pixels)
