"""Running whatever architecture spandrel knows, one image at a time, in PyTorch."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import safetensors
import safetensors.torch
import spandrel
import torch

from lucida.errors import ModelError
from lucida.models import fidelity
from lucida.models.quiet import quiet
from lucida.models.restorer import RestoreNeeds, RestoringModel
from lucida.models.spandrel.family import SHOWN, SUFFIX, needs_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.spec import Precision, Spec

_TYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# Those that take a map of the noise beside the image; spandrel itself always tells them 15.
_TOLD: Final = ("DRUNet", "DnCNN")
USUAL_NOISE: Final = 15.0
_WINDOWS: Final = ("window_size", "win_size", "split_size", "window_sizes")  # what architectures call them
WIDEST: Final = 64


class Opened(NamedTuple):
    """A model at a precision."""

    loaded: Any
    precision: str


class Description(NamedTuple):
    """What spandrel says of some weights."""

    architecture: str
    tags: str
    purpose: str
    scale: int
    needs: RestoreNeeds


def describe(path: Path) -> Description:
    """Return what spandrel says of a file of weights.

    Raises:
        ModelError: It is damaged, of an architecture that is not known, or one whose images cannot be used.
    """
    found = load(path)
    channels = {found.input_channels, found.output_channels}
    if channels not in ({1}, {3}):
        raise ModelError(
            f"The model {path.name} takes or gives other images than ours.",
            expected="1 or 3 channels, as many out as in",
            got=f"{found.architecture.name}: {found.input_channels} in, {found.output_channels} out",
            hint="another model for the same task",
        )
    size = found.size_requirements
    needs = needs_for(
        channels=channels.pop(),
        minimum=size.minimum,
        multiple=size.multiple_of,
        windows=_windows(found),
        square=size.square,
        whole=found.tiling is not spandrel.ModelTiling.SUPPORTED or found.purpose == "Inpainting",
        noise=_is_told(found),
    )
    return Description(found.architecture.name, ", ".join(found.tags), found.purpose, found.scale, needs)


def load(path: Path) -> Any:
    """Return spandrel's model of a file of weights.

    Raises:
        ModelError: It is damaged, or of an architecture that is not known.
    """
    try:
        weights = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ModelError(
            f"The weights in {path} cannot be read.",
            expected=f"a whole {SUFFIX} file",
            got=" ".join(str(error).split())[:200],
            hint="copy it again from where it came from",
        ) from error
    with quiet():
        try:
            return spandrel.ModelLoader().load_from_state_dict(dict(weights)).eval()
        except spandrel.UnsupportedModelError as error:
            raise _unknown(path, weights) from error
        except Exception as error:
            # An architecture was recognised, and its own code then failed on these weights in its own way.
            raise _misfit(path, weights, error) from error


def _unknown(path: Path, weights: dict[str, Any]) -> ModelError:
    shown = [f"{name} {tuple(value.shape)}" for name, value in list(weights.items())[:SHOWN]]
    return ModelError(
        f"spandrel knows no architecture with the weights in {path}.",
        expected="ESRGAN, RealESRGAN, SwinIR, HAT, SPAN, DnCNN, DRUNet, SCUNet, NAFNet, LaMa or another of those it"
        f" knows ({len(spandrel.MAIN_REGISTRY.architectures())})",
        got=f"{len(weights)} tensors: {', '.join(shown)}{' …' if len(weights) > SHOWN else ''}",
        hint="only the generator's weights are needed; an exported model works as onnx:PATH with a TOML beside it",
    )


def _misfit(path: Path, weights: dict[str, Any], error: Exception) -> ModelError:
    found = next((s.architecture.name for s in spandrel.MAIN_REGISTRY.architectures("detection")
                  if s.architecture.detect(dict(weights))), "an architecture")  # fmt: skip
    return ModelError(
        f"The weights in {path} do not fit {found}, which spandrel takes them for.",
        expected=f"all weights of {found}",
        got=" ".join(str(error).split())[:300],
        hint="copy it again from where it came from, or convert it again",
    )


def _is_told(found: Any) -> bool:
    return found.architecture.id in _TOLD and (found.architecture.id == "DRUNet" or "FDnCNN" in found.tags)


def _windows(found: Any) -> tuple[int, ...]:
    """Return the sides of the windows that attention works in; none where there are none, or nobody says."""
    said = getattr(found.model, "hyperparameters", {})
    sides = [said.get(name) or getattr(found.model, name, None) for name in _WINDOWS]
    flat = [side for one in sides for side in (one if isinstance(one, list | tuple) else [one])]
    known = {side for side in flat if isinstance(side, int) and 1 < side <= WIDEST}
    return tuple(sorted(known))


class SpandrelModel(RestoringModel):
    """Runs one image after the other: some architectures take no more.

    Args:
        spec: What it promises.
        path: Its weights.
        precision: "auto": the fastest that the machine has, that the architecture stands, and whose images are those
            of fp32.

    Raises:
        ModelError: The weights cannot be used, or the precision cannot be had.
    """

    def __init__(self, spec: Spec, path: Path, precision: Precision = "auto") -> None:
        super().__init__(spec)
        self._lock = threading.Lock()  # PyTorch uses all cores for one pass
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        first = load(path)
        self._told = _is_told(first)
        able = _able(first, self._device)
        if precision not in ("auto", "fp32", *able):
            raise ModelError(
                f"{spec.name} cannot run {precision} here.",
                expected=f"--precision auto, {', '.join(['fp32', *able])}",
                got=f"{precision} on {self._device} with {first.architecture.name}",
                hint="leave --precision out",
            )
        if precision == "auto" and "fill" not in spec.tasks:
            where = torch.cuda.get_device_name() if self._device == "cuda" else "cpu"
            self._opened = fidelity.choose(
                lambda wanted: self._open(load(path), wanted), self._try, able, channels=first.input_channels,
                identity=f"{path.name} {spec.revision} on torch {torch.__version__} {where}",
            )  # fmt: skip
        else:
            self._opened = self._open(first, "fp32" if precision == "auto" else precision)

    @property
    def engine(self) -> str:
        return f"torch {self._device} {self._opened.precision}"

    def _open(self, loaded: Any, precision: str) -> Opened:
        # Not the descriptor's own `to`: it refuses the mixed types of some architectures.
        loaded.model.to(device=self._device, dtype=_TYPES[precision])
        return Opened(loaded, precision)

    def _run(
        self, batch: NDArray[np.float32], noise: float | None, mask: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        with self._lock:
            return self._pass(self._opened, batch, noise, mask)

    def _try(self, opened: Opened, images: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            return self._pass(opened, images, None, None)
        except RuntimeError:
            if opened.precision == "fp32":
                raise
            # An operation that this precision lacks: no image is like that of fp32.
            scale = self.spec.gives.scale
            return np.full((*images.shape[:2], images.shape[2] * scale, images.shape[3] * scale), np.nan, np.float32)

    def _pass(
        self,
        opened: Opened,
        batch: NDArray[np.float32],
        noise: float | None,
        mask: NDArray[np.float32] | None,
    ) -> NDArray[np.float32]:
        kind, rows = _TYPES[opened.precision], []
        with quiet(), torch.inference_mode():
            for row, one in enumerate(batch):
                image = torch.from_numpy(one[None].copy()).to(self._device, kind)
                more = () if mask is None else (torch.from_numpy(mask[row : row + 1].copy()).to(self._device, kind),)
                if self._told:
                    level = torch.full_like(image[:, :1], (USUAL_NOISE if noise is None else noise) / 255)
                    found = opened.loaded.model(torch.cat([image, level], dim=1))
                else:
                    found = opened.loaded(image, *more)
                rows.append(found.float().cpu().numpy())
        return np.concatenate(rows)


def _able(loaded: Any, device: str) -> list[str]:
    """Return the precisions below fp32 that an architecture stands on a device."""
    stands = {"bf16": loaded.supports_bfloat16, "fp16": loaded.supports_half and device == "cuda"}
    return [precision for precision, able in stands.items() if able]
