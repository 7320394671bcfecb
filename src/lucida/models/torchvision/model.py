"""Running models of torchvision: boxes, masks, or a class for every pixel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
import torchvision
from safetensors.torch import load_file
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.models.detection.transform import resize_boxes

from lucida.errors import ImageError, ModelError
from lucida.models.onnx.dense import placed
from lucida.models.quiet import quiet
from lucida.models.spec import Model, Precision, Spec
from lucida.models.torchvision.table import MODELS
from lucida.models.transformers.pixels import likeliest
from lucida.results import Detections, Segmentation, run_lengths

if TYPE_CHECKING:
    from lucida.images import Image
    from lucida.results import Result

THIN: Final = 50  # times longer than wide, from which an image cannot be scaled as torchvision does
INSIDE: Final = 0.5  # how sure a pixel of a mask is, as torchvision's examples have it


class TorchvisionModel(Model):
    """Runs one image after the other: padding them to one shape changes what lies at the edges.

    Args:
        spec: What it promises.
        network: Its name in torchvision.
        file: Its weights.
        precision: "auto" is fp32.

    Raises:
        ModelError: The weights do not fit, or another precision is asked for.
    """

    def __init__(self, spec: Spec, network: str, file: Path, precision: Precision = "auto") -> None:
        super().__init__(spec)
        if precision not in ("auto", "fp32"):
            raise ModelError(
                f"{spec.name} cannot run {precision}.",
                expected="--precision auto or fp32",
                got=precision,
                hint="leave --precision out",
            )
        self._way = MODELS[network].way
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        weights = load_file(file)
        more = {"aux_loss": any(name.startswith("aux_classifier.") for name in weights)} if _has_aux(network) else {}
        try:
            model = torchvision.models.get_model(
                network, weights=None, weights_backbone=None, num_classes=len(spec.gives.classes), **more
            )
            model.load_state_dict(weights)
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"The weights in {file} do not fit {network}.",
                expected=f"what torchvision's {network} with {len(spec.gives.classes)} classes has",
                got=" ".join(str(error).split())[:300],
                hint="torchvision:NAME@FILE with the NAME that the file was written from",
            ) from error
        self._model = model.eval().to(self._device)
        self._transforms = torchvision.models.get_model_weights(network).DEFAULT.transforms()
        # PyTorch uses all cores for one pass.
        self._lock = threading.Lock()

    @property
    def engine(self) -> str:
        return f"torch {self._device} fp32"

    def predict(self, images: Sequence[Image]) -> list[Result]:
        acts: dict[str, Callable[[Any, tuple[int, int]], Result]] = {
            "boxes": self._boxes,
            "masks": self._masks,
            "pixels": self._pixels,
        }
        found: list[Result] = []
        for image in images:
            height, width = image.pixels.shape[:2]
            if max(height, width) > THIN * min(height, width):
                raise ImageError(
                    "The image cannot be brought to the size that the model needs.",
                    expected=f"an image that is at most {THIN} times longer than wide",
                    got=f"{width} x {height} pixels",
                    hint="cut it into pieces",
                )
            pixels = torch.from_numpy(np.ascontiguousarray(image.rgb8().transpose(2, 0, 1)))
            with self._lock, quiet(), torch.inference_mode():
                result = acts[self._way](self._transforms(pixels).to(self._device), (height, width))
            found.append(placed(result, image))
        return found

    def _boxes(self, pixels: Any, size: tuple[int, int]) -> Detections:
        return self._detections(self._model([pixels])[0])

    def _masks(self, pixels: Any, size: tuple[int, int]) -> Detections:
        """Do as the model does, but lay one mask after the other over the image: all at once would fill the memory.

        Source: `GeneralizedRCNN.forward` and `GeneralizedRCNNTransform.postprocess`.
        """
        model = self._model
        scaled, _ = model.transform([pixels])
        features = model.backbone(scaled.tensors)
        proposals, _ = model.rpn(scaled, features)
        (row,), _ = model.roi_heads(features, proposals, scaled.image_sizes)
        boxes = resize_boxes(row["boxes"], scaled.image_sizes[0], size)
        masks = []
        for mask, box in zip(row["masks"], boxes, strict=True):
            whole = paste_masks_in_image(mask[None], box[None], size)[0, 0] > INSIDE
            masks.append(run_lengths.encode(whole.cpu().numpy()))
        return self._detections({**row, "boxes": boxes}, tuple(masks))

    def _detections(self, row: dict[str, Any], masks: tuple[dict[str, Any], ...] = ()) -> Detections:
        scores = row["scores"].cpu().numpy()
        order = np.argsort(-scores, kind="stable")
        return Detections(
            np.asarray(row["boxes"].cpu().numpy()[order], np.float32).reshape(-1, 4),
            np.asarray(scores[order], np.float32),
            np.asarray(row["labels"].cpu().numpy()[order], np.int64),
            self.spec.gives.classes,
            tuple(masks[k] for k in order.tolist()) if masks else (),
        )

    def _pixels(self, pixels: Any, size: tuple[int, int]) -> Segmentation:
        logits = self._model(pixels[None])["out"][0].float().cpu()
        mask, confidence = likeliest(logits, size)
        return Segmentation(mask, self.spec.gives.classes, confidence)


def _has_aux(network: str) -> bool:
    return network.startswith(("fcn", "deeplab"))
