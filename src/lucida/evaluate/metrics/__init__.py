"""The field's metrics, without PyTorch, each for many weightings of the images at once."""

from lucida.evaluate.metrics.classification import (
    accuracy,
    balanced_accuracy,
    expected_calibration_error,
    log_loss,
    macro_f1,
    tag_f1,
)
from lucida.evaluate.metrics.detection import Detected, detected
from lucida.evaluate.metrics.ranking import auroc, average_precision, best_f1, macro_auroc, mean_average_precision
from lucida.evaluate.metrics.segmentation import Pixels, confusion_of, pixels_of

__all__ = [
    "Detected",
    "Pixels",
    "accuracy",
    "auroc",
    "average_precision",
    "balanced_accuracy",
    "best_f1",
    "confusion_of",
    "detected",
    "expected_calibration_error",
    "log_loss",
    "macro_auroc",
    "macro_f1",
    "mean_average_precision",
    "pixels_of",
    "tag_f1",
]
