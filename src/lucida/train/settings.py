"""How to train: what a person may say, and what is found where nothing is said."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from lucida.errors import InputError
from lucida.whole import write_whole

Arithmetic = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        minutes: Bound on the time of all calls together; the schedule is fitted to it. Ignored where `epochs` is given.
        epochs: Passes over the training part; None for as many as fit in the minutes, at most `most_epochs`.
        most_epochs: Where minutes decide: no more passes than these.
        batch: Images a step; None to find it.
        accumulate: Steps whose gradients are added up before the weights change.
        rate: Peak learning rate; None to find it.
        weight_decay: Of AdamW; norms and biases are left alone.
        warmup: Share of the schedule in which the rate rises from 0.
        patience: Evaluations without gain, in the metric or the validation loss, after which training stops early.
        rounds: Evaluations over the whole schedule; never more than one an epoch.
        horizon: Share of the steps that the average of the weights looks back on; 0 for no average.
        clip: Largest norm of the gradient.
        arithmetic: Of the forward pass; "auto" is bf16 where the processor is fast at it, else fp32.
        workers: Processes that prepare images; None for one on small machines, up to eight on large ones.
        save_seconds: Time between checkpoints.
        seed: Decides order, augmentation and initial weights.
        wandb: Report to Weights & Biases as well (its own settings come from the environment).
    """

    minutes: float = 20.0
    epochs: int | None = None
    most_epochs: int = 300
    batch: int | None = None
    accumulate: int = 1
    rate: float | None = None
    weight_decay: float = 0.05
    warmup: float = 0.05
    patience: int = 5
    rounds: int = 25
    horizon: float = 0.05
    clip: float = 1.0
    arithmetic: Arithmetic = "auto"
    workers: int | None = None
    save_seconds: float = 30.0
    seed: int = 0
    wandb: bool = False

    def __post_init__(self) -> None:
        for name, least in (("minutes", 0.05), ("epochs", 1), ("batch", 1), ("accumulate", 1), ("rate", 1e-8)):
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise InputError(
                    f"--{name} is too small to train with.",
                    expected=f"a number of at least {least:g}",
                    got=f"{value:g}",
                    hint="leave it out: it is found, or has a usual value",
                )

    def deciding(self) -> dict[str, Any]:
        """Return what decides the result, as plain JSON values; speed and reports do not."""
        left_out = ("workers", "save_seconds", "wandb")
        return {key: value for key, value in asdict(self).items() if key not in left_out}


@dataclass
class Plan:
    """What was found before training began; a run that goes on keeps to it.

    Attributes:
        batch: Images a step.
        accumulate: Steps a change of weights.
        rate: Peak learning rate.
        total: Changes of weights in all.
        round: Changes between evaluations.
        notes: What a person should know of how these were found.
    """

    batch: int
    accumulate: int
    rate: float
    total: int
    round: int
    notes: list[str]

    def save(self, path: Path) -> None:
        """Write the plan, whole or not at all."""
        write_whole(path, json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, path: Path) -> Plan | None:
        """Read a plan; None where there is none."""
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
