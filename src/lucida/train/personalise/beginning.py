"""Which model is taught: found, checked, loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.errors import InputError, MissingExtra, ModelError
from lucida.models.diffusers.family import DiffusersFamily, family_in, needs_in, source_of
from lucida.models.diffusers.files import check_safe, pipeline, read_index, variant_of
from lucida.models.diffusers.memory import Plan
from lucida.models.hub.snapshot import UNSTATED
from lucida.train.personalise.families import TEACHINGS, Teaching, teaching_of

if TYPE_CHECKING:
    from lucida.models.diffusers.memory import Kind
    from lucida.models.generator import GenerateNeeds


@dataclass(frozen=True)
class Base:
    """A model that is taught.

    Attributes:
        name: Under which it draws.
        folder: Of its pipeline.
        teaching: How its family is taught.
        needs: What it draws best.
        licence: Of its weights, which what is made of them has to keep to.
        notes: What a person should know, a sentence each.
    """

    name: str
    folder: Path
    teaching: Teaching
    needs: GenerateNeeds
    licence: str
    notes: tuple[str, ...] = ()


def find_base(name: str) -> Base:
    """Return the model of a name; one of the hub is downloaded for it.

    Raises:
        ModelError: It is none of diffusers, not to be had, in pickle, or of a family that is not taught here.
        UnknownName: There is no such model.
    """
    if not DiffusersFamily().claims(name):
        raise ModelError(
            f"{name!r} is no model that can be taught with photos.",
            expected=f"a pipeline of diffusers: {', '.join(row.name for row in TEACHINGS)}",
            got=repr(name),
            hint="--model sd15, sdxl, sd35, flux-dev, or a folder with a model_index.json",
        )
    source = source_of(name)
    known, notes = source.known, []
    folder = source.folder or pipeline(source.repo, known.variant if known else "", gated=bool(known and known.gated))
    index = read_index(folder)
    teaching = teaching_of(index["_class_name"])
    if teaching is None:
        raise ModelError(
            f"A {index['_class_name']} is not taught here.",
            expected=f"a pipeline of {', '.join(row.name for row in TEACHINGS)}, for words",
            got=index["_class_name"],
            hint="--model sd15, sdxl, sd35 or flux-dev",
        )
    check_safe(folder, index)
    if family_in(folder) is not teaching.family:
        raise ModelError(
            f"{name} was trained for edits under a mask, and takes more than words.",
            expected="a model that draws from words alone",
            got="a network that takes a mask as well",
            hint="teach the model that it was made from, such as --model sd15",
        )
    needs = needs_in(folder, teaching.family, source)
    if known and (known.lora or known.guidance == 0):
        notes.append(
            f"{known.name} draws in a few steps; teaching it makes that worse. Its family's full model is meant."
        )
    return Base(source.name, folder, teaching, needs, known.licence if known else UNSTATED, tuple(notes))


def load_pipeline(base: Base, kind: Kind) -> Any:
    """Return the pipeline of a model, its autoencoder in single precision: some overflow in half.

    Raises:
        MissingExtra: diffusers is not installed.
        ModelError: Its files are damaged.
    """
    try:
        from lucida.models.diffusers.opening import Pipelines
    except ImportError as error:
        raise MissingExtra(error.name or "diffusers", "generate", "Teaching a model that draws") from error
    import torch

    variant = variant_of(base.folder, read_index(base.folder))
    found = Pipelines(base.folder, base.teaching.family, variant, "cpu", Plan(kind)).base
    found.set_progress_bar_config(disable=True)
    found.vae.to(torch.float32)
    return found


def side_of(base: Base, wanted: int | None) -> int:
    """Return the side of the pictures to train with.

    Raises:
        InputError: The network cannot take such pictures.
    """
    needs = base.needs
    side = wanted or needs.size[0]
    near = needs.nearest(side, side)[0]
    if wanted and near != wanted:
        raise InputError(
            f"{base.name} cannot learn from pictures of {wanted} pixels a side.",
            expected=f"multiples of {needs.multiple} from {needs.least} to {needs.most}; {needs.size[0]} is best",
            got=str(wanted),
            hint=f"--size {near}",
        )
    return side
