"""Transformers models that look at whole images, run by PyTorch with the model's own image processor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import PIL.Image

from lucida.errors import ImageError, MissingExtra, ModelError
from lucida.models.onnx.dense import placed
from lucida.models.quiet import quiet
from lucida.models.spec import Model, Precision, Spec
from lucida.models.transformers.network import load
from lucida.results import Detections

try:
    import torch
    import transformers
except ImportError as error:
    raise MissingExtra(error.name or "transformers", "hub", "Running a transformers model") from error

if TYPE_CHECKING:
    from lucida.images import Image
    from lucida.models.hub.snapshot import Snapshot
    from lucida.results import Result

TOGETHER: Final = 8  # images of a pass, where they have one shape
LEAST: Final = 0.05  # objects that are less probable are never given


class Running(Model):
    """A model that PyTorch runs, images of any size in.

    Only images that come to one shape go through together: padding changes what lies at the edges.

    Args:
        spec: What it promises.
        snapshot: Its files.
        precision: "auto" is fp32: where boxes end is lost before the class is.

    Raises:
        MissingExtra: PyTorch or transformers is not installed.
        ModelError: It cannot be loaded, or int8 is asked for.
    """

    auto: ClassVar[str]
    processor: ClassVar[str] = "AutoImageProcessor"
    optional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, spec: Spec, snapshot: Snapshot, precision: Precision = "auto") -> None:
        super().__init__(spec)
        if precision == "int8":
            raise ModelError(
                f"{spec.name} cannot run int8.",
                expected="--precision auto, fp32 or bf16",
                got="int8",
                hint="leave --precision out",
            )
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._precision = "fp32" if precision == "auto" else precision
        with quiet():
            model, _ = load(getattr(transformers, self.auto), snapshot, optional=("position_ids", *self.optional))
            self._processor = self._read_processor(snapshot)
        self._model = model.to(self._device)
        # PyTorch uses all cores for one pass: two at a time would wait for each other.
        self._lock = threading.Lock()

    def _read_processor(self, snapshot: Snapshot) -> Any:
        try:
            return getattr(transformers, self.processor).from_pretrained(
                snapshot.folder, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"transformers cannot prepare images for {snapshot.name}.",
                expected="a preprocessor_config.json that this version of transformers knows",
                got=" ".join(str(error).split())[:300],
                hint="pip install -U transformers; or download the model again, whole",
            ) from error

    @property
    def engine(self) -> str:
        return f"torch {self._device} {self._precision}"

    def predict(self, images: Sequence[Image]) -> list[Result]:
        found: list[Result] = []
        waiting: list[tuple[Mapping[str, Any], Image]] = []
        for image in images:
            inputs = self.prepare(PIL.Image.fromarray(image.rgb8()))
            if waiting and (len(waiting) == TOGETHER or _shapes(inputs) != _shapes(waiting[0][0])):
                found += self._pass(waiting)
                waiting = []
            waiting.append((inputs, image))
        return found + (self._pass(waiting) if waiting else [])

    def prepare(self, picture: PIL.Image.Image) -> Mapping[str, Any]:
        """Return the inputs of one image, tensors with one row each.

        Raises:
            ImageError: It cannot be prepared, such as one that is a pixel wide and very long.
        """
        return self._prepared(lambda: self._processor(images=picture, return_tensors="pt"), picture)

    def _prepared(self, act: Callable[[], Any], picture: PIL.Image.Image) -> Mapping[str, Any]:
        try:
            with quiet():
                inputs: Mapping[str, Any] = act()
        except (ValueError, RuntimeError, ZeroDivisionError, IndexError) as error:
            raise ImageError(
                "The image cannot be brought to the size that the model needs.",
                expected="an image that is not many times longer than wide",
                got=f"{picture.width} x {picture.height} pixels: {' '.join(str(error).split())[:120]}",
                hint="cut it into pieces",
            ) from error
        return inputs

    def _pass(self, group: Sequence[tuple[Mapping[str, Any], Image]]) -> list[Result]:
        inputs = {name: self._together([one[name] for one, _ in group]) for name in group[0][0]}
        images = [image for _, image in group]
        with self._lock, quiet(), torch.inference_mode():
            outputs = self.run(inputs)
            sizes = [(image.pixels.shape[0], image.pixels.shape[1]) for image in images]
            results = self.decode(outputs, inputs, sizes)
        return [placed(_inside(one, size), image) for one, size, image in zip(results, sizes, images, strict=True)]

    @staticmethod
    def _together(values: Sequence[Any]) -> Any:
        return torch.cat(list(values)) if isinstance(values[0], torch.Tensor) else values

    def run(self, inputs: Mapping[str, Any], call: Any = None) -> Any:
        """Return the outputs of one pass, float32 on the processor; to be called by one thread at a time.

        Args:
            inputs: Tensors, a row an image.
            call: What is called with them; the model where it is None.
        """
        moved = {name: value.to(self._device) for name, value in inputs.items() if isinstance(value, torch.Tensor)}
        with torch.autocast(self._device, torch.bfloat16, enabled=self._precision == "bf16"):
            outputs = (call or self._model)(**moved)
        for name, value in outputs.items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                outputs[name] = value.float().cpu()
        return outputs

    def decode(self, outputs: Any, inputs: Mapping[str, Any], sizes: Sequence[tuple[int, int]]) -> Sequence[Result]:
        """Return the result of each image.

        Args:
            outputs: Of the pass.
            inputs: Of the pass.
            sizes: Height and width of each image.
        """
        raise NotImplementedError


def best_first(
    boxes: Any, scores: Any, labels: Any, classes: tuple[str, ...], masks: Sequence[dict[str, Any]] = ()
) -> Detections:
    """Return objects as transformers gives them, tensors (n, 4), (n,) and (n,), the surest first."""
    order = np.argsort(-scores.numpy(), kind="stable")
    return Detections(
        np.asarray(boxes.numpy()[order], np.float32).reshape(-1, 4),
        np.asarray(scores.numpy()[order], np.float32),
        np.asarray(labels.numpy()[order], np.int64),
        classes,
        tuple(masks[row] for row in order.tolist()) if masks else (),
    )


def _inside(result: Result, size: tuple[int, int]) -> Result:
    """Cut boxes to the image: these networks draw them around what they think lies beyond its edges, too."""
    if not isinstance(result, Detections):
        return result
    height, width = size
    edges = np.array([width, height, width, height], np.float32)
    return replace(result, xyxy=np.clip(result.xyxy, 0, edges))


def _shapes(inputs: Mapping[str, Any]) -> list[tuple[int, ...]]:
    return [tuple(value.shape) for value in inputs.values() if isinstance(value, torch.Tensor)]
