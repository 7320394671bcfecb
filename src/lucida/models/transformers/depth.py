"""How near everything in an image is, by a depth-estimation model of transformers."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import MissingExtra, ModelError
from lucida.models.hub.snapshot import from_hub, local
from lucida.models.quiet import quiet
from lucida.models.transformers.reader import refuse_remote_code

if TYPE_CHECKING:
    from numpy.typing import NDArray


def depth_map(name: str, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return how near everything is: uint8 (height, width), 255 nearest, 0 farthest, spread over the whole range.

    Args:
        name: "hf:ORG/NAME", or a folder with a config.json.
        pixels: uint8 (height, width, 3).

    Raises:
        MissingExtra: transformers is not installed.
        ModelError: The model is not at hand, or of another task.
    """
    estimate = _estimator(name)
    near: NDArray[np.float32] = estimate(pixels)
    low, high = float(near.min()), float(near.max())
    eight: NDArray[np.uint8] = np.rint((near - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
    return eight


@lru_cache(maxsize=1)
def _estimator(name: str) -> Any:
    try:
        import torch
        import transformers

        from lucida.models.transformers.network import load
    except ImportError as error:
        raise MissingExtra(error.name or "transformers", "generate", "Estimating depth") from error
    from pathlib import Path

    snapshot = from_hub(name.removeprefix("hf:")) if name.startswith("hf:") else local(Path(name))
    architecture = str((snapshot.config.get("architectures") or [""])[0])
    if not architecture.endswith("ForDepthEstimation"):
        raise ModelError(f"{name} estimates no depth.", expected="…ForDepthEstimation", got=architecture or "nothing")
    refuse_remote_code(snapshot)
    snapshot.refuse_pickle()
    with quiet():
        model, _ = load(getattr(transformers, architecture), snapshot)
        processor = transformers.AutoImageProcessor.from_pretrained(
            snapshot.folder, local_files_only=True, trust_remote_code=False
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device)

    def estimate(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode(), quiet():
            inputs = processor(images=pixels, return_tensors="pt").to(device)
            depth = model(**inputs).predicted_depth[:, None].float()
            whole = torch.nn.functional.interpolate(depth, pixels.shape[:2], mode="bicubic", align_corners=False)
        found: NDArray[np.float32] = whole[0, 0].cpu().numpy()
        return found

    return estimate
