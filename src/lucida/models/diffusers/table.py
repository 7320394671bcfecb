"""What diffusers can draw with: a row a family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

# What a request has: words alone, an image to begin from, a mask, a control image, or two of them.
Mode = Literal["text", "image", "mask", "control", "control+image", "control+mask"]


@dataclass(frozen=True)
class Sampler:
    """A way from noise to a picture.

    Attributes:
        scheduler: Class of diffusers.
        options: What is changed of the model's own schedule for it.
    """

    scheduler: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Adapter:
    """An IP-Adapter: images as prompts.

    Attributes:
        repo: On the hub.
        folder: Of its weights there.
        file: Its weights.
        encoder: Folder of what looks at the image, in `folder`.
        style: Layers that have to do with style alone; empty where all are used.
        licence: Of its weights.
    """

    repo: str
    folder: str
    file: str
    encoder: str = "image_encoder"
    style: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    licence: str = "Apache-2.0"


@dataclass(frozen=True)
class Family:
    """Models that are run in one way.

    Attributes:
        name: Ours.
        pipelines: Class of diffusers for what a request has.
        side: Width and height that it draws best, where its files do not say.
        packed: Latents a step of the network, along a side: sizes are multiples of that, times the VAE's scale.
        steps: Usual steps.
        guidance: Usual guidance.
        scale: Name of the argument for guidance.
        negative: It reads what is not to be seen.
        samplers: Those that it can use.
        tokens: Of a prompt that it reads, at most.
        control: Name of the argument for a control image, where there is no other image.
        controlnet: Class of its ControlNets.
        controlnets: Known ControlNets on the hub, by kind.
        adapter: Known IP-Adapter.
    """

    name: str
    pipelines: Mapping[Mode, str]
    side: int
    samplers: Mapping[str, Sampler]
    packed: int = 1
    steps: int = 30
    guidance: float = 7.0
    scale: str = "guidance_scale"
    negative: bool = True
    tokens: int = 77
    control: str = "control_image"
    controlnet: str = "ControlNetModel"
    controlnets: Mapping[str, str] = field(default_factory=dict)
    adapter: Adapter | None = None


DENOISING: Final[Mapping[str, Sampler]] = {
    "dpm++": Sampler("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "dpm++-karras": Sampler(
        "DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True}
    ),
    "euler": Sampler("EulerDiscreteScheduler"),
    "euler-ancestral": Sampler("EulerAncestralDiscreteScheduler"),
    "heun": Sampler("HeunDiscreteScheduler"),
    "unipc": Sampler("UniPCMultistepScheduler"),
    "ddim": Sampler("DDIMScheduler"),
    "ddpm": Sampler("DDPMScheduler"),
    "pndm": Sampler("PNDMScheduler", {"skip_prk_steps": True}),
    "lms": Sampler("LMSDiscreteScheduler"),
    "lcm": Sampler("LCMScheduler"),
}
# Flow matching: others of the table above do not know these schedules.
FLOW: Final[Mapping[str, Sampler]] = {"euler": Sampler("FlowMatchEulerDiscreteScheduler")}
FLOW_TOO: Final[Mapping[str, Sampler]] = {**FLOW, "heun": Sampler("FlowMatchHeunDiscreteScheduler")}


def _modes(text: str, control: str = "") -> dict[Mode, str]:
    """Return the classes whose names follow the usual pattern."""
    begin = text.removesuffix("Pipeline")
    found: dict[Mode, str] = {
        "text": text, "image": f"{begin}Img2ImgPipeline", "mask": f"{begin}InpaintPipeline",
    }  # fmt: skip
    if control:
        begin = control.removesuffix("Pipeline")
        more: dict[Mode, str] = {
            "control": control, "control+image": f"{begin}Img2ImgPipeline", "control+mask": f"{begin}InpaintPipeline",
        }  # fmt: skip
        found |= more
    return found


SD: Final = Family(
    "Stable Diffusion",
    _modes("StableDiffusionPipeline", "StableDiffusionControlNetPipeline"),
    side=512,
    samplers=DENOISING,
    guidance=7.5,
    control="image",
    controlnets={
        "canny": "lllyasviel/control_v11p_sd15_canny",
        "scribble": "lllyasviel/control_v11p_sd15_scribble",
        "depth": "lllyasviel/control_v11f1p_sd15_depth",
    },
    adapter=Adapter("h94/IP-Adapter", "models", "ip-adapter_sd15.safetensors"),
)
SDXL: Final = Family(
    "Stable Diffusion XL",
    _modes("StableDiffusionXLPipeline", "StableDiffusionXLControlNetPipeline"),
    side=1024,
    samplers=DENOISING,
    guidance=5.0,
    control="image",
    controlnets={
        "canny": "diffusers/controlnet-canny-sdxl-1.0",
        "scribble": "xinsir/controlnet-scribble-sdxl-1.0",
        "depth": "diffusers/controlnet-depth-sdxl-1.0",
    },
    # InstantStyle (Wang et al. 2024): these layers have to do with style, others with what is seen.
    adapter=Adapter(
        "h94/IP-Adapter", "sdxl_models", "ip-adapter_sdxl.safetensors", style={"up": {"block_0": (0.0, 1.0, 0.0)}}
    ),
)
SD3: Final = Family(
    "Stable Diffusion 3",
    {**_modes("StableDiffusion3Pipeline"), "control": "StableDiffusion3ControlNetPipeline"},
    side=1024,
    samplers=FLOW_TOO,
    packed=2,
    steps=28,
    guidance=4.5,
    tokens=256,
    controlnet="SD3ControlNetModel",
)
FLUX: Final = Family(
    "FLUX.1",
    _modes("FluxPipeline", "FluxControlNetPipeline"),
    side=1024,
    samplers=FLOW,
    packed=2,
    steps=28,
    guidance=3.5,
    negative=False,
    tokens=512,
    controlnet="FluxControlNetModel",
)
QWEN: Final = Family(
    "Qwen-Image",
    {**_modes("QwenImagePipeline"), "control": "QwenImageControlNetPipeline"},
    side=1024,
    samplers=FLOW,
    packed=2,
    steps=50,
    guidance=4.0,
    scale="true_cfg_scale",
    tokens=512,
    controlnet="QwenImageControlNetModel",
    controlnets={
        "canny": "InstantX/Qwen-Image-ControlNet-Union",
        "depth": "InstantX/Qwen-Image-ControlNet-Union",
    },
)
FAMILIES: Final = (SD, SDXL, SD3, FLUX, QWEN)
ENTRIES: Final = 9  # channels that a U-Net trained for inpainting takes: latents, mask, the image under it


def family_of(pipeline: str) -> Family | None:
    """Return the family of a class of diffusers, as model_index.json names it; None where it is unknown."""
    return next((family for family in FAMILIES if pipeline in family.pipelines.values()), None)


def for_inpainting(family: Family) -> Family:
    """Return a family whose network was trained for inpainting: all it draws, it draws under a mask."""
    mask, both = family.pipelines["mask"], family.pipelines.get("control+mask", "")
    controlled: Mapping[Mode, str] = {"control": both, "control+image": both, "control+mask": both} if both else {}
    return replace(
        family,
        pipelines={"text": mask, "image": mask, "mask": mask, **controlled},
        control="control_image",
    )


def sampler_of(family: Family, scheduler: str, config: Mapping[str, object]) -> str:
    """Return the name of a model's own sampler, that of its class where the table has no other.

    Args:
        family: Of the model.
        scheduler: Class of its scheduler.
        config: What its file says.
    """
    karras = bool(config.get("use_karras_sigmas"))
    fits = [
        name for name, row in family.samplers.items()
        if row.scheduler == scheduler and bool(row.options.get("use_karras_sigmas")) == karras
    ]  # fmt: skip
    return fits[0] if fits else scheduler.removesuffix("Scheduler")
