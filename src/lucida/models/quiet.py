"""Keep libraries that talk away from the terminal, where one JSON object may be all that is wanted."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

# PyTorch's own says that there is no GPU; the others report every layer.
TALKERS = (
    "torch.onnx",
    "torch.export",
    "torch.utils.cpp_extension",
    "transformers",
    "onnxscript",
    "onnx_ir",
    "timm",
    "nncf",
)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep reports, warnings, and whatever is printed on standard output, from being seen."""
    loggers = [logging.getLogger(name) for name in TALKERS]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
