"""The recipes by task: what each is for, where it lies, and which options it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from lucida.errors import InputError, ModelError, UnknownName

if TYPE_CHECKING:
    from torch import nn

    from lucida.data.sample import Task
    from lucida.train.recipe import Recipe
    from lucida.train.request import Request
    from lucida.train.trained import Trained


@dataclass(frozen=True)
class Entry:
    """One recipe.

    Attributes:
        function: "module:function"; called with a `Request`, and gives a `Recipe`.
        reads: What must be known of the images.
        options: Options of the verb beyond the common ones that it looks at.
        model: What is trained where no model is named: the best measured offline.
        rebuild: "module:function"; called with a `Trained`, and gives its network, not loaded; "" if there is none.
        labels: Whether "all" images must have a label, only "some", or none: "any" images will do; "known" takes any
            images, with the labels that there are.
        few: All images are learned from, and none is set aside to judge by: there are too few.
        next: What to do with what came out, with {run}, {folder} and {model}.
    """

    function: str
    reads: Task
    options: tuple[str, ...] = ()
    model: str = "embedded"
    rebuild: str = ""
    labels: Literal["all", "some", "any", "known"] = "all"
    few: bool = False
    next: str = "lucida evaluate {run} --data PLACE"


_WHOLE = ("tune", "start", "size", "augmentation")
_DENSE = ("start", "size", "augmentation")
_CLASSIFIER = "lucida.train.classify:rebuild"

RECIPES: dict[str, Entry] = {
    "classify": Entry("lucida.train.classify:classify", "classify", _WHOLE, rebuild=_CLASSIFIER),
    "tag": Entry("lucida.train.classify:tag", "tag", _WHOLE, rebuild=_CLASSIFIER),
    "detect": Entry(
        "lucida.train.detect.recipe:detect", "detect", _DENSE, rebuild="lucida.train.detect.recipe:rebuild"
    ),
    "segment": Entry(
        "lucida.train.segment.recipe:segment", "segment", _DENSE, rebuild="lucida.train.segment.recipe:rebuild"
    ),
    "anomaly": Entry(
        "lucida.train.anomaly.recipe:anomaly",
        "anomaly",
        ("start", "size"),
        rebuild="lucida.train.anomaly.recipe:rebuild",
    ),
    "pretrain": Entry(
        "lucida.train.pretrain:pretrain",
        "classify",
        ("start", "size"),
        "vit_tiny_patch16_224",
        "lucida.train.pretrain:rebuild",
        labels="any",
    ),
    "semi-supervised": Entry(
        "lucida.train.fixmatch:semi_supervised",
        "classify",
        ("start", "size", "labels"),
        rebuild=_CLASSIFIER,
        labels="some",
    ),
    "distil": Entry(
        "lucida.train.distil:distil",
        "classify",
        (*_WHOLE, "teacher", "temperature", "hard"),
        rebuild=_CLASSIFIER,
        labels="some",
    ),
    "restorer": Entry(
        "lucida.train.restore.recipe:restorer",
        "classify",
        ("start", "size", "scale", "degradation"),
        rebuild="lucida.train.restore.recipe:rebuild",
        labels="any",
        next="lucida restore PHOTO --model {run}, with --upscale or --denoise as it was trained for",
    ),
    "generator": Entry(
        "lucida.train.generative.recipe:generator",
        "classify",
        ("start", "size", "augmentation", "latent"),
        "flow",
        "lucida.train.generative.recipe:rebuild",
        labels="known",
        next='lucida generate "" -n 8 --model {run}',
    ),
    "lora": Entry(
        "lucida.train.personalise.recipe:lora",
        "classify",
        ("size", "token", "prior", "rank"),
        "sd15",
        labels="any",
        few=True,
        next='lucida generate "a photo of TOKEN" --model {model} --lora {run}',
    ),
}


def entry(task: str) -> Entry:
    """Return a recipe's entry.

    Raises:
        UnknownName: No such recipe.
    """
    if task not in RECIPES:
        raise UnknownName("training", task, RECIPES, hint="lucida train classify")
    return RECIPES[task]


def make(task: str, request: Request) -> Recipe:
    """Build a recipe: its network, and its examples ready to be drawn.

    Raises:
        UnknownName: No such recipe.
        InputError: Nothing can be learned from what was given.
        MissingExtra: A package is not installed.
    """
    module, function = entry(task).function.split(":")
    made: Recipe = getattr(import_module(module), function)(request)
    return made


def rebuild(trained: Trained) -> nn.Module:
    """Return the network of a run, its weights not loaded.

    Raises:
        ModelError: Runs of this task have none.
    """
    place = entry(trained.task).rebuild
    if not place:
        raise ModelError(
            f"The run {trained.folder.name} has no network that can be built again.",
            expected=f"a run of {', '.join(name for name, one in RECIPES.items() if one.rebuild)}",
            got=f"one of {trained.task}",
        )
    module, function = place.split(":")
    network: nn.Module = getattr(import_module(module), function)(trained)
    return network


def refuse_idle(task: str, given: dict[str, Any]) -> None:
    """Refuse options that a recipe does not look at, rather than leave them out in silence.

    Args:
        task: Name of the recipe.
        given: Options that differ from their defaults, by name.

    Raises:
        InputError: One of them is for other recipes.
    """
    known = entry(task).options
    for name in given:
        if name not in known:
            users = ", ".join(other for other, one in RECIPES.items() if name in one.options)
            raise InputError(
                f"--{name} is not for `lucida train {task}`.",
                expected=f"options {', '.join('--' + option for option in known) or '(none of its own)'}",
                got=f"--{name} {given[name]}",
                hint=f"leave it out; it is for {users}" if users else "leave it out",
            )
