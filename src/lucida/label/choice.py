"""Which labeller the arguments of `label` ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lucida.errors import InputError

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.label.instructions import Instructions
    from lucida.label.labeller import Labeller
    from lucida.label.sources import Source
    from lucida.label.vocabulary import Vocabulary
    from lucida.models.openai_api.options import ApiOptions
    from lucida.models.spec import Precision, Spec


_OPTIONS = ("price", "votes", "together", "workers", "timeout")


@dataclass(frozen=True)
class Asked:
    """What labels are to come from, as the arguments say it.

    Attributes:
        question: What is asked.
        examples: A folder of examples.
        vocabulary: Classes as words.
        templates: Wordings of the classes.
        instructions: What models that are asked are told.
    """

    question: str = "label"
    examples: Path | None = None
    vocabulary: Vocabulary | None = None
    templates: Sequence[str] = field(default=())
    instructions: Instructions | None = None

    @cached_property
    def words(self) -> Vocabulary | None:
        """The classes as words, wherever they are named."""
        from lucida.label.folder import read_folder
        from lucida.label.vocabulary import Vocabulary

        if self.vocabulary is not None:
            return self.vocabulary
        if self.instructions is not None and self.instructions.vocabulary is not None:
            return self.instructions.vocabulary
        if self.examples is not None:
            names = read_folder(self.examples).classes
            return Vocabulary(names, [[name] for name in names])
        return None


def read_asked(
    catalog: Catalog,
    *,
    question: str,
    examples: Path | None,
    classes: str | None,
    none_of_these: bool,
    templates: Sequence[str] = (),
    instructions: Path | None = None,
) -> Asked:
    """Read what can be read before a model is looked for.

    Raises:
        InputError: The arguments ask for two things at once, or cannot be used; or there is nothing to label.
    """
    from lucida.label.instructions import read_instructions
    from lucida.label.vocabulary import read_vocabulary

    if examples is not None and classes is not None:
        raise InputError(
            "Examples and class words cannot be used together.",
            expected="--examples FOLDER or --classes WORDS",
            got="both",
            hint="the names of the example folders are the classes: leave --classes out",
        )
    for given, option in ((none_of_these, "--none-of-these"), (templates, "--template")):
        if given and classes is None:
            raise InputError(
                f"{option} needs classes given as words.",
                expected=f"--classes WORDS {option}",
                got="no --classes",
                hint="by example, add a folder of examples that are none of the others"
                if given is none_of_these
                else "leave it out",
            )
    if not catalog.images.count():
        raise InputError(
            "There are no images in this catalog.",
            expected="images to label",
            got=f"an empty catalog at {catalog.path}",
            hint="lucida add FOLDER",
        )
    vocabulary = read_vocabulary(classes, none_of_these=none_of_these) if classes is not None else None
    told = read_instructions(instructions) if instructions is not None else None
    return Asked(question, examples, vocabulary, tuple(templates), told)


def choose_labeller(
    catalog: Catalog,
    models: Sequence[str],
    asked: Asked,
    options: ApiOptions,
    *,
    max_cost: float | None = None,
    precision: Precision = "auto",
    cascade: bool = False,
    sure: float | None = None,
) -> Labeller:
    """Return the labeller that the arguments ask for.

    Args:
        catalog: The open catalog.
        models: Names of models; several make a panel or a cascade, the first being the cheapest.
        asked: What labels are to come from.
        options: How models that are asked are asked.
        max_cost: US dollars that the run may cost; None for no limit.
        precision: Arithmetic of the models.
        cascade: Ask the next only where one is not sure.
        sure: Probability from which a label of a cascade stands.

    Raises:
        InputError: There is nothing to label by, or the arguments do not belong together.
        UnknownName: No such model.
        ModelError: A model cannot do what is asked, or is not to be had.
    """
    from lucida.label.several import SURE, Cascade, Panel

    if len(models) == 1 and (cascade or sure is not None):
        raise InputError(
            "A cascade needs more than one model.",
            expected="--model CHEAP,DEAR --cascade",
            got=f"--model {models[0]}",
            hint="--model embedded,siglip2,gpt-4o --cascade",
        )
    if sure is not None and not cascade:
        raise InputError(
            "--sure says when a cascade stops.", expected="--cascade --sure 0.9", got="no --cascade", hint="add it"
        )
    specs = [_spec(catalog, name, options) for name in models]
    dear = sum("ask" in spec.tasks for spec in specs)
    _refuse_idle(asked, options, max_cost, dear, specs)
    # The limit is of the whole run: each of several that are paid for gets its part.
    each = max_cost / dear if max_cost is not None and dear > 1 else max_cost
    members = [_labeller(catalog, spec, asked, options, each, precision) for spec in specs]
    if len(members) == 1:
        return members[0]
    from lucida.models.registry import find

    seeing = next((spec for spec in specs if "encode" in spec.tasks), None) or find("embedded", catalog.models)
    encoder = (seeing.name, seeing.revision)
    return Cascade(members, encoder, SURE if sure is None else sure) if cascade else Panel(members, encoder)


def model_names(model: str) -> list[str]:
    """Divide names of models at commas, unless the whole is the name of a file or folder.

    Raises:
        InputError: A name is empty, or given twice.
    """
    if Path(model).exists() or "," not in model:
        return [model]
    names = [name.strip() for name in model.split(",")]
    if "" in names or len(set(names)) < len(names):
        raise InputError(
            "The names of the models are not clear.",
            expected="different names, divided by commas",
            got=repr(model),
            hint="--model embedded,siglip2",
        )
    return names


def _spec(catalog: Catalog, name: str, options: ApiOptions) -> Spec:
    from lucida.models.registry import find

    spec = find(name, catalog.models)
    return spec.configure(options) if spec.configure else spec


def _labeller(
    catalog: Catalog, spec: Spec, asked: Asked, options: ApiOptions, max_cost: float | None, precision: Precision
) -> Labeller:
    from lucida.label.asking import AskLabeller
    from lucida.label.vectors import VectorLabeller

    if "ask" not in spec.tasks:
        return VectorLabeller(spec, choose_source(catalog, spec, asked), precision)
    named = asked.instructions is not None and asked.instructions.vocabulary is not None
    return AskLabeller(
        spec,
        asked.vocabulary if named else asked.words,
        asked.instructions,
        # The name of a question serves as the question itself where it is one.
        question=asked.question if asked.question.endswith(("?", "？")) else "",
        precision=precision,
        max_cost=max_cost,
        settings=options.settings() if spec.configure else {},
    )


def _refuse_idle(asked: Asked, options: ApiOptions, max_cost: float | None, dear: int, specs: Sequence[Spec]) -> None:
    """Refuse options that none of the models looks at, rather than leave them out in silence."""
    from lucida.models.openai_api.options import USUAL

    given = {
        "--instructions": asked.instructions is not None,
        "--max-cost": max_cost is not None,
        **{f"--{name}": getattr(options, name) != getattr(USUAL, name) for name in _OPTIONS},
    }
    idle = [option for option, is_given in given.items() if is_given and not dear]
    if idle:
        raise InputError(
            f"{idle[0]} is for models that are asked in words.",
            expected="a model with the task 'ask', such as gpt-4o, ollama:llava or smolvlm",
            got=", ".join(f"{spec.name} ({', '.join(spec.tasks)})" for spec in specs),
            hint="leave it out, or lucida models --task ask",
        )


def choose_source(catalog: Catalog, spec: Spec, asked: Asked) -> Source:
    """Return what turns the outputs of one model into labels.

    Raises:
        InputError: There is nothing to label by.
        ModelError: The model cannot do what is asked.
    """
    from lucida.label.examples import AnswerSource, ExampleSource
    from lucida.label.own import OwnSource
    from lucida.label.words import WordSource

    if asked.examples is not None:
        return ExampleSource(asked.examples)
    if asked.words is not None:
        return WordSource(spec, asked.words, templates=asked.templates)
    if "classify" in spec.tasks:
        return OwnSource(spec)
    return AnswerSource.of(catalog, asked.question)
