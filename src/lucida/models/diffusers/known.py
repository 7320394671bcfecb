"""Short names of well-known models that draw: where they are, under which licence, and how they are run best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lucida.models.diffusers.table import FLUX, QWEN, SD, SD3, SDXL, for_inpainting

if TYPE_CHECKING:
    from lucida.models.diffusers.table import Adapter, Family


@dataclass(frozen=True)
class Known:
    """A model with a short name.

    Attributes:
        name: What people type.
        repo: On the hub.
        family: How it is run.
        about: What it is good for.
        licence: Of its weights, as its authors state it.
        terms: What the licence asks of whoever uses it, in a sentence or two.
        gigabytes: To download.
        side: Width and height that it draws best; 0 for the family's.
        steps: Usual steps; 0 for the family's.
        most_steps: Largest number of steps.
        guidance: Usual guidance, 0 where it takes none; None for the family's.
        sampler: Its own, by its files or because of the LoRA.
        tokens: Of a prompt that it reads; 0 for the family's.
        variant: Of the weights that are downloaded; "" for the plain ones.
        lora: Repository of a LoRA that is always on.
        controlnets: By kind; None for the family's.
        adapter: It takes the family's IP-Adapter.
        gated: Its page asks to log in and agree first.
    """

    name: str
    repo: str
    family: Family
    about: str
    licence: str
    terms: str
    gigabytes: float
    side: int = 0
    steps: int = 0
    most_steps: int = 1000
    guidance: float | None = None
    sampler: str = "euler"
    tokens: int = 0
    variant: str = ""
    lora: str = ""
    controlnets: Mapping[str, str] | None = None
    adapter: bool = True
    gated: bool = False

    @property
    def followed(self) -> Mapping[str, str]:
        """Its ControlNets, by kind."""
        return self.family.controlnets if self.controlnets is None else self.controlnets

    @property
    def styled(self) -> Adapter | None:
        """Its IP-Adapter."""
        return self.family.adapter if self.adapter else None


_RAIL = (
    "Commercial use is allowed; the harmful uses that its licence lists are not, and whoever passes the model or what "
    "it is built into on passes that list on."
)
_STABILITY = (
    "Free for research, for personal use, and for organisations of less than 1 million US dollars of yearly revenue; "
    "others need a licence of Stability AI. Its use policy forbids harmful uses."
)
_DEV = (
    "Not for commercial use of the model; what it draws may be used, though not to train a model that competes with "
    "it. Agree to it on its page first."
)
_FREE = "It may be used for any purpose; its authors ask not to use it against the law."
_COMMUNITY, _STABLE = "Stability AI Community License", "Stability AI Community License (sai-nc-community)"
_SD3 = {
    "canny": "stabilityai/stable-diffusion-3.5-large-controlnet-canny",
    "depth": "stabilityai/stable-diffusion-3.5-large-controlnet-depth",
}
_FLUX = {
    "canny": "InstantX/FLUX.1-dev-Controlnet-Canny",
    "depth": "Shakker-Labs/FLUX.1-dev-ControlNet-Depth",
}

_SD, _SDXL = for_inpainting(SD), for_inpainting(SDXL)
_RAIL_M, _RAIL_PLUS = "CreativeML Open RAIL-M", "CreativeML Open RAIL++-M"

KNOWN: Final = (
    Known("sd15", "stable-diffusion-v1-5/stable-diffusion-v1-5", SD, "small, much is made for it", _RAIL_M, _RAIL, 2.7,
          sampler="pndm", variant="fp16"),
    Known("sd15-inpainting", "stable-diffusion-v1-5/stable-diffusion-inpainting", _SD, "edits under a mask", _RAIL_M,
          _RAIL, 2.7, sampler="pndm", variant="fp16"),
    Known("lcm", "stable-diffusion-v1-5/stable-diffusion-v1-5", SD, "sd15 in four steps",
          f"{_RAIL_M}; its LoRA {_RAIL_PLUS}", _RAIL, 2.9, steps=4, most_steps=50, guidance=1.0, sampler="lcm",
          variant="fp16", lora="latent-consistency/lcm-lora-sdv1-5"),
    Known("sdxl", "stabilityai/stable-diffusion-xl-base-1.0", SDXL, "good all round", _RAIL_PLUS, _RAIL, 7.0,
          variant="fp16"),
    Known("sdxl-inpainting", "diffusers/stable-diffusion-xl-1.0-inpainting-0.1", _SDXL, "edits under a mask",
          _RAIL_PLUS, _RAIL, 7.0, variant="fp16"),
    Known("sd-turbo", "stabilityai/sd-turbo", SD, "one step", _STABLE, _STABILITY, 2.6, steps=1, guidance=0.0,
          variant="fp16", controlnets={}, adapter=False),
    Known("sdxl-turbo", "stabilityai/sdxl-turbo", SDXL, "one to four steps", _STABLE, _STABILITY, 7.0, side=512,
          steps=1, guidance=0.0, sampler="euler-ancestral", variant="fp16"),
    Known("sd35", "stabilityai/stable-diffusion-3.5-medium", SD3, "reads long prompts", _COMMUNITY, _STABILITY, 16.0,
          steps=40, gated=True),
    Known("sd35-large", "stabilityai/stable-diffusion-3.5-large", SD3, "better, large", _COMMUNITY, _STABILITY, 28.0,
          guidance=3.5, controlnets=_SD3, gated=True),
    Known("flux-schnell", "black-forest-labs/FLUX.1-schnell", FLUX, "very good in four steps; large", "Apache-2.0",
          _FREE, 33.7, steps=4, guidance=0.0, tokens=256, gated=True),
    Known("flux-dev", "black-forest-labs/FLUX.1-dev", FLUX, "very good; large", "FLUX.1 [dev] Non-Commercial License",
          _DEV, 33.7, controlnets=_FLUX, gated=True),
    Known("qwen-image", "Qwen/Qwen-Image", QWEN, "writes text into pictures, Chinese too; very large", "Apache-2.0",
          _FREE, 57.7, side=1328),
)  # fmt: skip
BY_NAME: Final[Mapping[str, Known]] = {row.name: row for row in KNOWN}
_OTHERS: Final = {
    "stablediffusion": "sd15", "sd1.5": "sd15", "sd3.5": "sd35", "sd35medium": "sd35", "sd3.5large": "sd35-large",
    "flux": "flux-schnell", "qwenimage": "qwen-image",
}  # fmt: skip


def known_as(name: str) -> Known | None:
    """Return the row of a short name, in any case, with or without hyphens."""
    plain = name.casefold().replace("-", "").replace("_", "")
    return BY_NAME.get(_OTHERS.get(plain, "")) or next(
        (row for row in KNOWN if row.name.replace("-", "") == plain), None
    )


def of_repo(repo: str) -> Known | None:
    """Return the row of a repository; the one without a LoRA where there are several."""
    return next((row for row in KNOWN if row.repo.casefold() == repo.casefold() and not row.lora), None)
