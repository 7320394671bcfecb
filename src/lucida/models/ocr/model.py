"""RapidOCR: where text stands, which way up it is, what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import MissingExtra, ModelError
from lucida.models.ocr import order, pieces
from lucida.models.ocr.family import SIDE
from lucida.models.quiet import quiet
from lucida.models.spec import Model, Precision, Spec
from lucida.results import Line, Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.images import Image
    from lucida.results import Result

    Quad = NDArray[np.float32]  # (4, 2): corners across and down, from top left clockwise as the text runs

COARSE: Final = 960  # px of the longer side at which large text in large images is found
HEIGHT: Final = 48  # px of a line as the recogniser reads it
SURE: Final = 0.5  # lines that are less probable are left out
_SETTINGS: Final[dict[str, Any]] = {
    "Global.log_level": "critical",
    # Images are read side by side: each by one thread.
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Det.max_candidates": 5000,
    # It enlarges small images to 736 pixels: no text is read better for it, in twice the time (benchmarks/reading.py).
    "Det.limit_side_len": pieces.LEAST,
}


class OcrModel(Model):
    """A running reader; safe to be called from several threads.

    Where text stands is found by RapidOCR. Lines are cut out here: it shrinks them without smoothing, which loses
    letters of large text. Images of more than `SIDE` pixels are looked at small, for large text, and at full size.

    Args:
        spec: What it promises.
        precision: "fp32" or "auto".

    Raises:
        MissingExtra: rapidocr is not installed.
        ModelError: Another precision is asked for.
    """

    def __init__(self, spec: Spec, precision: Precision = "auto") -> None:
        super().__init__(spec)
        if precision not in ("auto", "fp32"):
            raise ModelError(
                f"{spec.name} cannot run {precision}.",
                expected="--precision auto or fp32",
                got=precision,
                hint="leave --precision out",
            )
        try:
            import cv2
            from rapidocr import RapidOCR
        except ImportError as error:
            raise MissingExtra(error.name or "rapidocr", "see", "Reading text") from error
        with quiet():
            self._ocr: Any = RapidOCR(params=_SETTINGS)
            # Its parts are loaded at their first use: now, by one thread.
            self._detect(np.full((64, 64, 3), 255, np.uint8))
            self._recognise([np.full((HEIGHT, 64, 3), 255, np.uint8)])
        self._cv2 = cv2

    @property
    def engine(self) -> str:
        return "onnxruntime fp32"

    def predict(self, images: Sequence[Image]) -> list[Result]:
        return [self._read(image) for image in images]

    def _read(self, image: Image) -> Reading:
        # OpenCV's order of colours.
        pixels = np.ascontiguousarray(image.rgb8()[:, :, ::-1])
        height, width = pixels.shape[:2]
        whole, ratio = pixels, 1.0
        if max(height, width) > SIDE:
            ratio = COARSE / max(height, width)
            size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
            whole = self._cv2.resize(pixels, size, interpolation=self._cv2.INTER_AREA)
        scale = np.array([width / whole.shape[1], height / whole.shape[0]], np.float32)
        found = self._lines(pixels, [quad * scale for quad in self._detect(whole)])
        if ratio < 1:
            fine = pieces.find(self._ocr.text_det, pixels, self._cv2)
            found = pieces.merged(found, self._lines(pixels, fine))
        return Reading(tuple(order.reading_order(found)))

    def _detect(self, pixels: NDArray[np.uint8]) -> list[Quad]:
        """Return the corners of all lines in an image, BGR uint8."""
        if min(pixels.shape[:2]) < 4:
            return []
        record: dict[str, Any] = {}
        try:
            _, found = self._ocr.detect_and_crop(pixels, record)
        except Exception as error:
            # An image without text is an error to it, of a class that it keeps to itself.
            if type(error).__name__ == "RapidOCRError":
                return []
            raise
        padding = record.get("padding_1", {})
        offset = np.array([padding.get("left", 0), padding.get("top", 0)], np.float32)
        return [np.asarray(quad, np.float32) - offset for quad in found.boxes]

    def _recognise(self, crops: list[NDArray[np.uint8]]) -> list[tuple[str, float, bool]]:
        """Return text, probability, and whether it stood upside down, of lines cut out of an image."""
        turned, how = self._ocr.cls_and_rotate(crops)
        said = self._ocr.recognize_txt(turned)
        flips = [label == "180" and float(score) > self._ocr.text_cls.cls_thresh for label, score in how.cls_res]
        return [
            (str(text), float(score), flip) for text, score, flip in zip(said.txts, said.scores, flips, strict=True)
        ]

    def _lines(self, pixels: NDArray[np.uint8], quads: Sequence[Quad]) -> list[Line]:
        height, width = pixels.shape[:2]
        edges = np.array([width, height], np.float32)
        quads = [np.clip(quad, 0, edges) for quad in quads]
        cut = [pieces.cut_out(pixels, quad, HEIGHT, self._cv2) for quad in quads]
        kept = [(quad, *one) for quad, one in zip(quads, cut, strict=True) if one is not None]
        if not kept:
            return []
        found = []
        for (quad, _, turned), (text, score, flipped) in zip(
            kept, self._recognise([crop for _, crop, _ in kept]), strict=True
        ):
            text = text.strip()
            if not text or score < SURE:
                continue
            # The first corner is where the text begins.
            corners = np.roll(quad, -(int(turned) + 2 * int(flipped)), axis=0)
            found.append(Line(text, min(1.0, score), tuple((float(x), float(y)) for x, y in corners.tolist())))
        return found
