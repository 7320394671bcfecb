"""Images with what is known of them: the one type that training, evaluation and cleaning read, wherever it lies."""

from lucida.data.sample import Boxes, Mask, Sample, Samples, Soft, Target, Task
from lucida.data.source import read_data

__all__ = ["Boxes", "Mask", "Sample", "Samples", "Soft", "Target", "Task", "read_data"]
