"""A head as a file: plain arrays and JSON, no pickle."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from lucida.errors import ModelError
from lucida.evaluate.figure import Figure
from lucida.label.head import Head, Member
from lucida.whole import whole


def save_head(head: Head, path: Path) -> None:
    """Write a head so that a reader sees a whole file or none."""
    about = {
        "classes": head.classes,
        "members": [[list(m.parts), m.share] for m in head.members],
        "accuracy": None if (share := head.accuracy) is None else [share.value, share.low, share.high, share.n],
        "examples": head.examples,
        "parts": {name: [part.start, part.stop] for name, part in head._parts.items()},
        "scales": head._scales,
    }
    arrays: dict[str, Any] = {f"weights{i}": m.weights for i, m in enumerate(head.members)}
    arrays |= {f"bias{i}": m.bias for i, m in enumerate(head.members)}
    with whole(path) as partial, partial.open("wb") as file:
        np.savez(
            file,
            about=np.frombuffer(json.dumps(about).encode(), np.uint8),
            landmarks=head._landmarks,
            present=head._present,
            **arrays,
        )


def load_head(path: Path) -> Head:
    """Read a head.

    Raises:
        ModelError: The file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(stored["about"].tobytes())
            members = [
                Member(tuple(parts), share, stored[f"weights{i}"], stored[f"bias{i}"])
                for i, (parts, share) in enumerate(about["members"])
            ]
            return Head(
                about["classes"],
                members,
                None if about["accuracy"] is None else Figure(*about["accuracy"]),
                about["examples"],
                parts={name: slice(*ends) for name, ends in about["parts"].items()},
                scales=about["scales"],
                landmarks=stored["landmarks"],
                present=stored["present"],
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(
            "The head of this run cannot be read.",
            expected=f"a file that `lucida label` wrote at {path}",
            got=str(error),
            hint="delete that file and label again: it is made anew from the examples beside it",
        ) from error
