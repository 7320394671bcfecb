"""Videos, streams and cameras as frames: read in order, sampled, tracked, written; never more than a few in memory."""

from __future__ import annotations

from lucida.video.frame import Frame
from lucida.video.live import Live, Waits
from lucida.video.reading import Reading, read
from lucida.video.sampling import Sampling, read_sampling
from lucida.video.source import SUFFIXES, Source, is_video, source_of

__all__ = [
    "SUFFIXES",
    "Frame",
    "Live",
    "Reading",
    "Sampling",
    "Source",
    "Waits",
    "is_video",
    "read",
    "read_sampling",
    "source_of",
]
