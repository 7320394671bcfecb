"""Begin from the weights of an earlier run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lucida.errors import InputError
from lucida.train.backbone import fitting
from lucida.tuning import checkpoint

if TYPE_CHECKING:
    from torch import nn


def load_matching(network: nn.Module, run: Path) -> int:
    """Put the weights of an earlier run into a network wherever name and shape agree; return how many.

    A classifier or an encoder on images without labels lends its trunk; a detector of other classes all but the last
    layer.

    Args:
        network: Changed in place.
        run: Folder of the run, or its checkpoint.

    Raises:
        InputError: There is no checkpoint, or it is of another network.
    """
    from lucida.train.loop import BEST

    path = run / BEST if run.is_dir() else run
    if not path.is_file():
        raise InputError(
            f"There are no weights to begin from at {run}.",
            expected='"auto", "hub", "nothing", or a training run',
            got=f"no {BEST} there",
            hint="lucida train prints the name of its run",
        )
    stored = checkpoint.load(path)[0]["network"]
    own = network.state_dict()
    known = {name: fitting(value, own[name]) for name, value in stored.items() if name in own}
    alike = {name: value for name, value in known.items() if own[name].shape == value.shape}
    if not any(value.ndim > 1 for value in alike.values()):
        raise InputError(
            f"{path} holds the weights of another network.",
            expected="layers that this detector has as well",
            got=f"{len(stored)} others",
            hint="name the --model that it was trained with",
        )
    network.load_state_dict({**own, **alike})
    return len(alike)
