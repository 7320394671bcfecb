"""What a network of a table begins from: published weights, nothing, or the weights of an earlier run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.errors import InputError
from lucida.train.backbone import EMBEDDED, fitting
from lucida.tuning import checkpoint

if TYPE_CHECKING:
    from torch import nn

HUB = "hf:"
STARTS = ("auto", "hub", "nothing", EMBEDDED)
_FOLDED = "stem.0.bias"  # is there where the embedded encoder has no norms any more


@dataclass(frozen=True)
class Built:
    """A network that is ready to be trained.

    Attributes:
        network: Called as the table that it is from says.
        start: What its weights are: "embedded", "hub", "nothing", or the run that they come from.
        licence: Of the weights that it begins with; "" where there are none.
        learned: What the names of weights that were trained before begin with: they learn more slowly.
        note: What a person should know of how the weights were had.
    """

    network: nn.Module
    start: str
    licence: str = ""
    learned: tuple[str, ...] = ()
    note: str = ""


def begin(build: Callable[[str], Built], name: str, start: str) -> Built:
    """Build a network with the weights that it begins from.

    Args:
        build: Called with one of `STARTS`.
        name: Of the network.
        start: One of `STARTS`, or the folder of an earlier run.

    Raises:
        InputError: The weights are not to be had, or are of another network.
    """
    if start in STARTS:
        return build(start)
    built = build(shape_of(name, Path(start)))
    load_matching(built.network, Path(start))
    return replace(built, start=start, note="")


def shape_of(name: str, run: Path) -> str:
    """Return the start that gives a network the layers that a run's has.

    The embedded encoder has two shapes: with norms, and as it is shipped, without. The run's own weights say which.

    Args:
        name: Of the network.
        run: Folder of the run, or its checkpoint.

    Raises:
        InputError: There is no checkpoint.
    """
    if name != EMBEDDED:
        return "nothing"
    return EMBEDDED if any(key.endswith(_FOLDED) for key in _stored(run)[1]) else "nothing"


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
    path, stored = _stored(run)
    own = network.state_dict()
    known = {name: fitting(value, own[name]) for name, value in stored.items() if name in own}
    alike = {name: value for name, value in known.items() if own[name].shape == value.shape}
    if not any(value.ndim > 1 for value in alike.values()):
        raise InputError(
            f"{path} holds the weights of another network.",
            expected="layers that this one has as well",
            got=f"{len(stored)} others",
            hint="name the --model that it was trained with",
        )
    network.load_state_dict({**own, **alike})
    return len(alike)


def _stored(run: Path) -> tuple[Path, dict[str, Any]]:
    from lucida.train.standing import BEST

    path = run / BEST if run.is_dir() else run
    if not path.is_file():
        raise InputError(
            f"There are no weights to begin from at {run}.",
            expected='"auto", "hub", "nothing", or a training run',
            got=f"no {BEST} there",
            hint="lucida train prints the name of its run",
        )
    return path, checkpoint.load(path)[0]["network"]
