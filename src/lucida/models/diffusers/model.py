"""Drawing with a pipeline of diffusers, picture by picture: one is the same alone and among others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import diffusers
import numpy as np
import torch

from lucida.errors import LucidaError, ModelError
from lucida.models.diffusers.calling import REFERENCE, arguments
from lucida.models.diffusers.family import CONTROLNET, Source, family_in, spec_of
from lucida.models.diffusers.files import check_safe, piece, pipeline, read_index, variant_of, weighty
from lucida.models.diffusers.lora import Loras
from lucida.models.diffusers.memory import Kind, Plan, count, free_memory, plan
from lucida.models.diffusers.opening import Pipelines
from lucida.models.diffusers.prompt import NEGATIVE, PROMPT, remarks
from lucida.models.diffusers.reference import Reference
from lucida.models.generator import Lora, Picture, check_seeds, finite, generate_needs
from lucida.models.quiet import quiet
from lucida.models.restorer import is_exhausted
from lucida.models.spec import Model
from lucida.notes import Note

if TYPE_CHECKING:
    from lucida.models.diffusers.table import Mode, Sampler
    from lucida.models.generator import GenerationRequest
    from lucida.models.spec import Precision, Spec

LORA_FILE: Final = "*.safetensors"
HINT: Final = "fewer --steps or less --guidance; --lora files may do this as well"


def build_model(spec: Spec, source: Source, precision: Precision) -> Model:
    """Return the running model; it is downloaded where it has to be.

    Raises:
        ModelError: It is not to be had, in pickle, or damaged.
    """
    if source.folder is None:
        known = source.known
        assert known is not None, "others are downloaded before"
        folder = pipeline(source.repo, known.variant, source.revision or None, gated=known.gated)
        source = replace(source, folder=folder)
        # What it can do, and of which revision it is, was told before; its files know better.
        spec = spec_of(source)
    return DiffusersModel(spec, source, precision)


class DiffusersModel(Model):
    """Runs whichever pipeline a request needs.

    Pictures are drawn one at a time: in a batch the sums of a network come out in another order, and a picture would
    not be the same alone. What they have in common, the encoded prompt, is computed once.

    Args:
        spec: What it promises.
        source: Its files.
        precision: "auto" is fp32 on CPU, where memory allows it, and bf16 on GPU.

    Raises:
        ModelError: Its files are damaged, or the precision cannot be had.
    """

    def __init__(self, spec: Spec, source: Source, precision: Precision = "auto") -> None:
        super().__init__(spec)
        assert source.folder is not None, "downloaded before"
        self._source, self._needs = source, generate_needs(spec)
        self._family = family_in(source.folder)
        self._lock = threading.Lock()  # PyTorch uses all cores for one pass
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        index = read_index(source.folder)
        check_safe(source.folder, index)
        variant = variant_of(source.folder, index)
        counts = count(source.folder, weighty(index), variant)
        kinds = _kinds(precision, self._device, spec.name)
        width, height = self._needs.size
        layout = plan(_free(self._device), counts, self._device, width * height, kinds, free_memory())
        self._open = Pipelines(source.folder, self._family, variant, self._device, layout)
        self._loras = Loras(self._open.base, self._family.name)
        known = source.known
        self._always = self._own_loras()
        self._reference = Reference(known.styled if known else self._family.adapter, source.adapter)
        self._styled = False

    @property
    def engine(self) -> str:
        return f"diffusers {diffusers.__version__}, torch {self._device} {self._open.plan.kind}"

    @property
    def layout(self) -> Plan:
        """How it lies in memory now."""
        return self._open.plan

    def remarks(self, request: GenerationRequest) -> tuple[Note, ...]:
        texts = {PROMPT: request.prompt, NEGATIVE: request.negative}
        said = remarks(self._open.base, texts, self._needs.longest)
        guidance = self._needs.guidance if request.guidance is None else request.guidance
        if request.negative and guidance <= 1:
            nothing = "At a guidance of {guidance} the negative prompt counts for nothing."
            said += (Note("guidance_low", nothing, guidance=f"{guidance:g}"),)
        return said

    def generate(
        self, request: GenerationRequest, seeds: Sequence[int], step: Callable[[float], None] | None = None
    ) -> list[Picture]:
        check_seeds(list(seeds))
        pictures: list[Picture] = []
        with self._lock:
            for row, seed in enumerate(seeds):

                def told(share: float, row: int = row) -> None:
                    if step:
                        step((row + share) / len(seeds))

                pictures.append(self._one(request, seed, told))
        return pictures

    def _one(self, request: GenerationRequest, seed: int, told: Callable[[float], None]) -> Picture:
        stopped: list[BaseException] = []

        def step(share: float) -> None:
            try:
                told(share)
            except BaseException as error:
                stopped.append(error)
                raise

        while True:
            try:
                return self._draw(request, seed, step)
            except BaseException as error:
                self._open.release()
                if stopped or isinstance(error, LucidaError) or not isinstance(error, Exception):
                    raise
                if not is_exhausted(error):
                    raise self._failed(error) from error
                if not self._open.tighter():
                    width, height = request.size or self._needs.size
                    raise MemoryError(f"a picture of {width} x {height}") from error

    def _draw(self, request: GenerationRequest, seed: int, step: Callable[[float], None]) -> Picture:
        running, mode = self._prepared(request)
        wanted = arguments(request, running, mode, self._family, self._needs)
        # On the CPU whatever the device, so that a seed is the same picture's everywhere.
        wanted["generator"] = torch.Generator("cpu").manual_seed(seed)
        last: list[Any] = []

        def ended(pipe: Any, number: int, time: Any, values: dict[str, Any]) -> dict[str, Any]:
            last[:] = [values["latents"]]
            step(min(1.0, (number + 1) / max(1, pipe.num_timesteps)))
            return {}

        with quiet(), torch.inference_mode():
            images = running(**wanted, callback_on_step_end=ended, output_type="np").images
        pixels = np.asarray(images[0], np.float32)
        if (
            not np.isfinite(pixels).all()
            and last
            and bool(torch.isfinite(last[0]).all())
            and self._open.decode_in_fp32()
        ):
            return self._draw(request, seed, step)
        return Picture(finite(pixels, self.spec, HINT), seed, self._detail(request, wanted))

    def _prepared(self, request: GenerationRequest) -> tuple[Any, Mode]:
        """Return the pipeline for a request, with its LoRAs and its IP-Adapter, and what it was made for."""
        mode = mode_of(request)
        styled = request.reference is not None
        loras = (*self._always, *request.loras)
        if self._loras.differ(loras) or styled != self._styled:
            self._open.unhook()
            self._open.forget()
            self._loras.use(loras)
            if styled != self._styled:
                (self._reference.put_on if styled else self._reference.take_off)(self._open.base)
                self._styled = styled
        running = self._open.get(
            mode, self._sampler(request.sampler), self._controlnet(request), self._reference.parts if styled else None
        )
        if styled:
            running.set_ip_adapter_scale(self._reference.scale(_strength_of_reference(request)))
        return running, mode

    def _sampler(self, name: str) -> Sampler | None:
        usual = self._needs.samplers[0]
        wanted = name or (usual if self._always else "")
        if not wanted or (wanted == usual and not self._always):
            return None
        return self._family.samplers[wanted]

    def _controlnet(self, request: GenerationRequest) -> str:
        if request.control_image is None:
            return ""
        own = self._source.controlnets
        if own:
            return str(next((folder for folder in own if request.control in folder.name), own[0]))
        assert self._source.folder is not None
        if (self._source.folder / CONTROLNET).is_dir():
            return CONTROLNET
        known = self._source.known
        table = known.followed if known else self._family.controlnets
        if request.control not in table:
            raise ModelError(
                f"{self.spec.name} cannot follow {request.control}.",
                expected=", ".join(table) or "a ControlNet of one's own: --model NAME+FOLDER",
                got=request.control,
                hint="--model sd15 or sdxl",
            )
        return table[request.control]

    def _own_loras(self) -> tuple[Lora, ...]:
        known = self._source.known
        if not known or not known.lora:
            return ()
        folder = piece(known.lora, (LORA_FILE,), LORA_FILE)
        return (Lora(next(iter(sorted(folder.glob(LORA_FILE))))),)

    def _detail(self, request: GenerationRequest, used: dict[str, Any]) -> dict[str, Any]:
        layout = self._open.plan
        folder = self._source.folder
        return {
            "steps": used["num_inference_steps"],
            "sampler": request.sampler or self._needs.samplers[0],
            "guidance": used.get(self._family.scale, 0.0),
            "engine": self.engine,
            **({"weights": folder.name} if self._source.repo and folder else {}),
            **({"tiling": True} if layout.tiling else {}),
            **({"offload": layout.offload} if layout.offload else {}),
        }

    def _failed(self, error: Exception) -> ModelError:
        return ModelError(
            f"diffusers could not draw this with {self.spec.name}.",
            expected="a request that its pipeline takes",
            got=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            hint="the model's own size, sampler and steps: leave --size, --sampler and --steps out",
        )


def mode_of(request: GenerationRequest) -> Mode:
    """Return what a request has."""
    given = "mask" if request.mask is not None else "image" if request.image is not None else ""
    modes: dict[tuple[bool, str], Mode] = {
        (False, ""): "text", (False, "image"): "image", (False, "mask"): "mask",
        (True, ""): "control", (True, "image"): "control+image", (True, "mask"): "control+mask",
    }  # fmt: skip
    return modes[request.control_image is not None, given]


def _strength_of_reference(request: GenerationRequest) -> float:
    return request.strength if request.image is None and request.control_image is None else REFERENCE


def _kinds(precision: Precision, device: str, name: str) -> tuple[Kind, ...]:
    """Return the types of weights that may be used, the preferred one first.

    Raises:
        ModelError: It is one that pipelines do not have.
    """
    if precision == "int8":
        raise ModelError(f"{name} cannot run int8.", expected="--precision auto, fp32 or bf16", got="int8",
                         hint="leave --precision out")  # fmt: skip
    if precision != "auto":
        return (precision,)
    if device == "cpu":
        return ("fp32", "bf16")
    return ("bf16",) if torch.cuda.is_bf16_supported() else ("fp16",)


def _free(device: str) -> int:
    return int(torch.cuda.mem_get_info()[0]) if device == "cuda" else free_memory()
