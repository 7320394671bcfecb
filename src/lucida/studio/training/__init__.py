"""What the Train page shows: runs and how they go, where a finished one is wrong, and why."""

from lucida.studio.training.site import Training

__all__ = ["Training"]
