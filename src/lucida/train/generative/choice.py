"""Which of the four to train: what was measured of each, and what that says for quality, speed and latent editing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lucida.train.plan import TrainPlan


@dataclass(frozen=True)
class Measured:
    """What one of the methods reached in equal time.

    Attributes:
        kernel: Kernel distance to held-out images, by the features of the embedded encoder, with its 95 % interval.
        frechet: Fréchet distance likewise; None where it was not taken.
        speed: Pictures a second through the exported model.
        weights: Of the part that draws, in millions.
        edits: Whether pictures have latents that can be mixed and changed.
    """

    kernel: tuple[float, float, float]
    frechet: tuple[float, float, float] | None
    speed: float
    weights: float
    edits: bool = False


# `python -m benchmarks.generators` prints these lines; empty until it was run to its end.
CONDITIONS: Final = ""
TABLE: Final[dict[str, Measured]] = {}


def advise(table: dict[str, Measured] | None = None, conditions: str = CONDITIONS) -> TrainPlan:
    """Return which method suits what, from measurements.

    Args:
        table: What was measured; the shipped table by default.
        conditions: On what, for how long, where.
    """
    table = TABLE if table is None else table
    facts = {name: _line(one) for name, one in table.items()}
    if not table:
        reasons = ["Nothing has been measured on this machine: python -m benchmarks.generators --data PLACE does."]
        return TrainPlan("train", tuple(reasons), {}, (), "lucida train generator --data PLACE --model flow")
    best = min(table, key=lambda name: table[name].kernel[0])
    alike = [name for name in table if name != best and table[name].kernel[1] <= table[best].kernel[2]]
    fast = max(table, key=lambda name: table[name].speed)
    reasons = [
        f"Quality: {best}, nearest to held-out images"
        + (f"; {' and '.join(alike)} cannot be told from it by this." if alike else "."),
        f"Speed: {fast}, {table[fast].speed:,.3g} pictures a second against {table[best].speed:,.3g} of {best}.",
    ]
    editable = [name for name, one in table.items() if one.edits]
    if editable:
        reasons.append(
            f"Latent editing: {editable[0]}, whose pictures can be mixed and changed as numbers; "
            "flow and diffusion can draw in its latents (--latent RUN)."
        )
    if conditions:
        facts["measured"] = conditions
    return TrainPlan("train", tuple(reasons), facts, (), f"lucida train generator --data PLACE --model {best}")


def _line(one: Measured) -> str:
    value, low, high = one.kernel
    frechet = ", Fréchet distance {:.1f} ({:.1f} to {:.1f})".format(*one.frechet) if one.frechet else ""
    return (
        f"kernel distance {value:.3f} ({low:.3f} to {high:.3f})"
        f"{frechet} by embedded features, {one.speed:,.3g} pictures/s, {one.weights:.1f} M weights"
    )
