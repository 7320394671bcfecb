"""The verb `label`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class LabelResult:
    """What labelling did.

    Attributes:
        run: Id of the run that the proposals belong to.
        images: How many images have a label by this run now.
        seconds: How long it took.
        question: What was asked.
        classes: The classes.
        new: How many of the images were labelled by this call.
        taught: Added images whose label an example with the same bytes gives.
        skipped: Images that cannot be read any more.
        accuracy: Expected share of right labels with its 95 % interval, from cross-validation; None by words.
        cost: US dollars that this call has spent on a model that is paid for; None where none was.
        adapted: With `adapt`: whether the tuned model is "kept", and the share of examples named rightly when held out
            "before" and "after".
        notes: What a person should know, a sentence each.
    """

    run: str
    images: int
    seconds: float
    question: str = "label"
    classes: tuple[str, ...] = ()
    new: int = 0
    taught: int = 0
    skipped: int = 0
    accuracy: tuple[float, float, float] | None = None
    cost: float | None = None
    adapted: dict[str, Any] | None = None
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self.__dict__, "classes": list(self.classes), "notes": list(self.notes)}

    def __str__(self) -> str:
        shown = ", ".join(self.classes[:8]) + (" …" if len(self.classes) > 8 else "")
        lines = [
            f"{self.images:,} images have a label for {self.question!r} ({len(self.classes)} classes: {shown});"
            f" {self.new:,} new in {self.seconds:.1f} s."
        ]
        if self.taught:
            lines.append(f"{self.taught:,} of them are examples themselves: their label is yours.")
        if self.accuracy:
            value, low, high = self.accuracy
            lines.append(
                f"About {value:.0%} of the examples are named rightly when held out ({low:.0%} to {high:.0%}):"
                " an estimate, not a proof."
            )
        if self.skipped:
            lines.append(f"{self.skipped:,} images cannot be read any more and were skipped.")
        return "\n".join([*lines, *self.notes, f"Run {self.run}. Next: lucida review --question {self.question}"])


def label(
    *,
    examples: Path | None = None,
    classes: str | None = None,
    question: str = "label",
    model: str = "embedded",
    none_of_these: bool = False,
    adapt: bool = False,
    template: list[str] | None = None,
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto",
    catalog: Path | None = None,
) -> LabelResult:
    """Label every image of the catalog: by examples, by words, or by the answers given so far.

    The same call again goes on where it stopped and labels what was added since.

    Args:
        examples: A folder with one sub-folder of example images a class. Examples only teach: they are not added.
        classes: Words instead: "dress,hat,shoes", or a YAML file of classes with a description or several each.
        question: What is asked, so that labels of different questions do not mix.
        model: The model: "embedded", or "onnx:PATH" for a TOML beside an exported model. `lucida models` lists them.
        none_of_these: By words only: also propose "none of these".
        adapt: By example only: first tune the embedded encoder on the images of the catalog, without labels, for a few
            minutes; it is used only if the examples are then named better. Needs PyTorch.
        template: By words only: a wording with {} for the class, such as "a satellite photo of a {}", instead of the
            usual ones; may be given several times.
        precision: Arithmetic of the model; "auto" measures which is faithful and fast.
        catalog: Folder of the catalog; LUCIDA_CATALOG or ./lucida-catalog by default.

    Raises:
        InputError: Nothing to label by, a class with too few examples, or classes that are not clear.
        UnknownName: No such model.
        CatalogError: There is no catalog.
        ModelError: The model cannot run, or cannot do what is asked.
        MissingExtra: `adapt` without PyTorch.
    """
    from lucida.catalog import Catalog
    from lucida.label.choice import choose_source, read_asked
    from lucida.label.job import run_label
    from lucida.label.vectors import VectorLabeller
    from lucida.models.registry import find

    with Catalog.open(catalog) as opened:
        asked = read_asked(
            opened,
            question=question,
            examples=examples,
            classes=classes,
            none_of_these=none_of_these,
            templates=template or (),
        )
        spec = find(model, opened.models)
        source = choose_source(opened, spec, asked)
        if not adapt:
            return run_label(opened, VectorLabeller(spec, source, precision), question=question)
        from lucida.label.adaptation import adapt_to

        adapted = adapt_to(opened, spec, source, precision)
        result = run_label(opened, VectorLabeller(adapted.spec, source, precision), question=question)
        return replace(result, adapted=adapted.to_json(), notes=(*result.notes, adapted.note))
