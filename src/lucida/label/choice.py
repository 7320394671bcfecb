"""Which labeller the arguments of `label` ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lucida.errors import InputError

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.label.sources import Source
    from lucida.label.vocabulary import Vocabulary
    from lucida.models.spec import Spec


@dataclass(frozen=True)
class Asked:
    """What labels are to come from, as the arguments say it.

    Attributes:
        question: What is asked.
        examples: A folder of examples.
        vocabulary: Classes as words.
        templates: Wordings of the classes.
    """

    question: str = "label"
    examples: Path | None = None
    vocabulary: Vocabulary | None = None
    templates: Sequence[str] = field(default=())


def read_asked(
    catalog: Catalog,
    *,
    question: str,
    examples: Path | None,
    classes: str | None,
    none_of_these: bool,
    templates: Sequence[str] = (),
) -> Asked:
    """Read what can be read before a model is looked for.

    Raises:
        InputError: The arguments ask for two things at once, or cannot be used; or there is nothing to label.
    """
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
    return Asked(question, examples, vocabulary, tuple(templates))


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
    if asked.vocabulary is not None:
        return WordSource(spec, asked.vocabulary, templates=asked.templates)
    if "classify" in spec.tasks:
        return OwnSource(spec)
    return AnswerSource.of(catalog, asked.question)
