"""Whole channels taken out of a network, and a short training that makes up for them.

Channels with the smallest weights go, together with everything that hangs on them, so the network that remains is
dense and smaller on any engine. Source: Fang et al. 2023, DepGraph: Towards Any Structural Pruning.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lucida.compress.subject import labelled
from lucida.data.sample import TRAIN, VALIDATION
from lucida.errors import InputError, MissingExtra
from lucida.models.quiet import quiet
from lucida.train import recipes
from lucida.train.classify import ClassifyRecipe
from lucida.train.loop import fit
from lucida.train.request import Request
from lucida.train.settings import Plan, Settings
from lucida.train.standing import PLAN
from lucida.train.trained import Trained

if TYPE_CHECKING:
    from lucida.compress.subject import Subject
    from lucida.data import Samples

ASIDE = 10  # one training image in so many judges the recovery, so that the validation part stays unseen
MULTIPLE = 8  # channels are left in multiples of this: registers of engines are that wide


@dataclass(frozen=True)
class Pruned:
    """What pruning left.

    Attributes:
        parameters: How many there were, and how many are left.
        products: Multiplications of one image, likewise.
        metrics: Of the recovery, on training images set aside.
        notes: What a person should know.
    """

    parameters: tuple[int, int]
    products: tuple[int, int]
    metrics: dict[str, float]
    notes: tuple[str, ...] = ()


def prune(subject: Subject, samples: Samples, share: float, settings: Settings, folder: Path, model: Path) -> Pruned:
    """Prune a run's network, train what is left, and export it.

    Args:
        subject: The run.
        samples: Its images; only the training part is used.
        share: Of the channels that go, within (0, 1).
        settings: Of the recovery.
        folder: Where the recovery keeps its checkpoints; it goes on from those that lie there.
        model: An existing folder for the exported model.

    Raises:
        InputError: The network cannot be pruned.
        MissingExtra: torch-pruning is not installed.
        TrainingError: The recovery cannot go on.
    """
    trained = Trained.open(subject.folder)
    recipe = _recipe(subject, trained, set_aside(labelled(samples.of(TRAIN))), settings.seed)
    before, after, width = cut(recipe.network, recipe.needs.shape, share)
    recipe.backbone.width = width
    plan = Plan.load(subject.folder / PLAN)
    # The rate of a probe is that of a head alone.
    rate = plan.rate if plan and trained.config.get("tune") != "probe" else recipe.backbone.rate / 2
    batch = plan.batch if plan else settings.batch
    state = fit(recipe, replace(settings, rate=settings.rate or rate, batch=settings.batch or batch), folder)
    recipe.export(model)
    return Pruned((before[0], after[0]), (before[1], after[1]), state.metrics, tuple(dict.fromkeys(recipe.notes)))


def set_aside(train: Samples) -> Samples:
    """Return training images of which one in ten judges instead; which, their names decide."""
    judges = [int(sha256(one.name.encode()).hexdigest(), 16) % ASIDE == 0 for one in train]
    if not any(judges):
        judges = [row == 0 for row in range(len(judges))]
    items = [replace(one, split=VALIDATION if judge else TRAIN) for one, judge in zip(train, judges, strict=True)]
    return replace(train, items=tuple(items))


class Recovery(ClassifyRecipe):
    """Training that is judged by likelihood: the few images set aside tell too few steps of accuracy apart."""

    def __init__(self, request: Request, *, several: bool = False) -> None:
        super().__init__(request, several=several)
        self.monitor = "likelihood"

    def measure(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        found = super().measure(network, device)
        return {**found, "likelihood": -found["loss"]}


def _recipe(subject: Subject, trained: Trained, samples: Samples, seed: int) -> ClassifyRecipe:
    config, network = trained.config, trained_network(trained)
    samples = replace(samples, classes=trained.classes)
    request = Request(samples, config["model"], "nothing", size=config.get("size"), seed=seed, like=trained.needs)
    recipe = Recovery(request, several=subject.several)
    if recipe.needs != trained.needs:
        raise InputError(
            f"The network of {subject.run} cannot be trained on as it is.",
            expected=f"images prepared as {recipe.needs}",
            got=str(trained.needs),
            hint="--int8 needs no training",
        )
    recipe.network = recipe.model = network
    recipe.backbone.licence = subject.card.licence
    recipe.notes = []
    return recipe


def trained_network(trained: Trained) -> Any:
    """Return the network of a run, a trunk and a head.

    Raises:
        InputError: It is none that can be pruned.
    """
    known = "task" in trained.config and trained.task in recipes.RECIPES and recipes.entry(trained.task).rebuild
    network = trained.network() if known and "compressed" not in trained.config else None
    if not isinstance(network, nn.Module) or not hasattr(network, "trunk") or not hasattr(network, "head"):
        raise InputError(
            f"The network of {trained.folder.name} cannot be pruned.",
            expected="a run of `lucida train classify` or `tag`, not compressed yet",
            got="a compressed one" if "compressed" in trained.config else "another network",
            hint="name the run that it came from, and give all options at once: --prune 0.3 --int8",
        )
    return network


def cut(network: Any, shape: tuple[int, int, int], share: float) -> tuple[tuple[int, int], tuple[int, int], int]:
    """Take channels out of a network, in place.

    Networks that attend keep their width, which heads and shortcuts hang on; only the hidden layers of their
    perceptrons lose channels.

    Args:
        network: A trunk and a linear head.
        shape: Of one prepared image, (channels, height, width).
        share: Of the channels of each layer that go.

    Returns:
        Parameters and multiplications before, and after; and the width of the features.

    Raises:
        InputError: Nothing of it can be pruned.
        MissingExtra: torch-pruning is not installed.
    """
    try:
        import torch_pruning
    except ImportError as error:
        raise MissingExtra("torch-pruning", "train", "Pruning") from error
    network.eval().requires_grad_(True)
    sample = torch.zeros(1, *shape)
    attends = any(isinstance(module, nn.LayerNorm) for module in network.trunk.modules())
    kept = [network.head]
    if attends:
        inner = {id(m.fc1) for m in network.trunk.modules() if hasattr(m, "fc1") and hasattr(m, "fc2")}
        layers = [m for m in network.trunk.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.LayerNorm)]
        kept += [layer for layer in layers if id(layer) not in inner]
    before = _size(torch_pruning, network, sample)
    try:
        with quiet():
            pruner = torch_pruning.pruner.BasePruner(
                network,
                sample,
                importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
                pruning_ratio=share,
                ignored_layers=kept,
                round_to=MULTIPLE,
            )
            pruner.step()
        with torch.inference_mode():
            found = network(sample)
            width = int(network.trunk(sample).shape[1])
    except Exception as error:  # graphs that the library cannot follow fail in many ways
        raise _stubborn(network, " ".join(str(error).split())[:200]) from error
    after = _size(torch_pruning, network, sample)
    if after[0] >= before[0] or found.shape[1] != network.head.out_features:
        raise _stubborn(network, f"{after[0]:,} of {before[0]:,} parameters are left")
    return before, after, width


def _size(torch_pruning: Any, network: nn.Module, sample: torch.Tensor) -> tuple[int, int]:
    with torch.inference_mode(), quiet():
        products, parameters = torch_pruning.utils.count_ops_and_params(network, sample)
    return int(parameters), int(products)


def _stubborn(network: Any, got: str) -> InputError:
    return InputError(
        f"This network cannot be pruned ({type(network.trunk).__name__}).",
        expected="convolutions, or perceptrons with fc1 and fc2, that lose channels",
        got=got,
        hint="--int8 or --bf16; or lucida train classify --model with a smaller one",
    )
