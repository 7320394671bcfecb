"""What this machine computes with, and how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lucida.errors import InputError
from lucida.models.threads import available_cores

if TYPE_CHECKING:
    from lucida.train.settings import Arithmetic

_MIXED = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


def mixed_precision(arithmetic: Arithmetic) -> str:
    """Return the name that accelerate has for an arithmetic; "auto" is bf16 where it is fast.

    Raises:
        InputError: fp16 without a GPU.
    """
    if arithmetic == "fp16" and not torch.cuda.is_available():
        raise InputError(
            "Processors do not train in fp16.",
            expected="--arithmetic bf16 or fp32; fp16 on a GPU",
            got="fp16, and no GPU that PyTorch sees",
            hint="leave --arithmetic out: bf16 is taken where the processor is fast at it",
        )
    if arithmetic != "auto":
        return _MIXED[arithmetic]
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if fast_bf16() else "no"


def fast_bf16() -> bool:
    """Tell whether the processor multiplies bf16 in hardware: without that it is slower than fp32."""
    capability = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    avx = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(capability() or avx())


def usual_workers() -> int:
    """Return how many processes prepare images: the cores beyond those that compute, one at least."""
    cores = available_cores()
    return min(8, cores - 1) if torch.cuda.is_available() else max(1, min(4, cores // 4))
