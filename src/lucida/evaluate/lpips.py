"""LPIPS by torchmetrics, with weights from a safetensors file.

Source: Zhang et al. 2018, The unreasonable effectiveness of deep features as a perceptual metric.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import MissingExtra, ModelError
from lucida.models.cache import cache_folder
from lucida.models.quiet import quiet

if TYPE_CHECKING:
    from numpy.typing import NDArray

NETWORK: Final = "alex"


def weights_file() -> Path:
    """Return where its weights lie."""
    return cache_folder() / "lpips" / f"{NETWORK}.safetensors"


class Lpips:
    """Measures the distance of two images as people see it.

    Raises:
        ModelError: Its weights are not at hand.
        MissingExtra: PyTorch or torchmetrics is not installed.
    """

    def __init__(self) -> None:
        try:
            import torch
            from safetensors.torch import load_model
            from torchmetrics.functional.image.lpips import _LPIPS
        except ImportError as error:
            raise MissingExtra(error.name or "torchmetrics", "train", "Measuring LPIPS") from error
        file = weights_file()
        if not file.is_file():
            raise _missing(file)
        with quiet():
            self._model: Any = _LPIPS(pretrained=False, pnet_rand=True, net=NETWORK)
        load_model(self._model, file)
        self._model.eval()
        self._torch = torch

    def __call__(self, ours: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
        """Return the distance of images uint8 (height, width, 1 or 3)."""
        a, b = (np.broadcast_to(one, (*one.shape[:2], 3)).transpose(2, 0, 1)[None] for one in (ours, reference))
        with self._torch.inference_mode():
            pair = [self._torch.from_numpy(np.ascontiguousarray(one)).float() / 127.5 - 1 for one in (a, b)]
            return float(self._model(*pair).squeeze())


def _missing(file: Path) -> ModelError:
    code = (
        "import pathlib, safetensors.torch as s; from torchmetrics.functional.image.lpips import _LPIPS;"
        f" f = pathlib.Path({str(file)!r}); f.parent.mkdir(parents=True, exist_ok=True);"
        f" s.save_model(_LPIPS(net={NETWORK!r}), f)"
    )
    return ModelError(
        "The weights of LPIPS are not on this machine.",
        expected=str(file),
        got="no such file",
        hint=f'where there is a network, once: python -c "{code}"; PSNR and SSIM need no weights',
    )
