"""The verb `label`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lucida.models.openai_api.flags import MaxCost, Price, Timeout, Workers

if TYPE_CHECKING:
    from lucida.label.plan import LabelPlan
    from lucida.models.openai_api.options import ApiOptions


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
        skipped: Images that cannot be read any more, or that the model gave no answer for.
        accuracy: Expected share of right labels with its 95 % interval, from cross-validation; None by words.
        engine: What ran the model, and at which precision: "openvino int8"; "" where nothing had to be run.
        cost: US dollars that this call has spent on a model that is paid for; None where none was.
        adapted: With `adapt`: whether the tuned model is "kept", and the share of examples named rightly when held out
            "before" and "after".
        plan: With `plan`: what labelling would take; then there is no run.
        task: What was done, where it was not to name one class an image: "detect", "caption", …
        objects: With such a task: how many objects, tags or lines this call found.
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
    engine: str = ""
    cost: float | None = None
    adapted: dict[str, Any] | None = None
    plan: LabelPlan | None = None
    task: str = ""
    objects: int = 0
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        planned = self.plan.to_json() if self.plan else None
        return {**self.__dict__, "classes": list(self.classes), "notes": list(self.notes), "plan": planned}

    def __str__(self) -> str:
        if self.plan:
            return str(self.plan)
        if self.task:
            return self._seen()
        shown = ", ".join(self.classes[:8]) + (" …" if len(self.classes) > 8 else "")
        ran = f" ({self.engine})" if self.engine else ""
        lines = [
            f"{self.images:,} images have a label for {self.question!r} ({len(self.classes)} classes: {shown});"
            f" {self.new:,} new in {self.seconds:.1f} s{ran}."
        ]
        if self.taught:
            lines.append(f"{self.taught:,} of them are examples themselves: their label is yours.")
        if self.accuracy:
            value, low, high = self.accuracy
            lines.append(
                f"About {value:.0%} of the examples are named rightly when held out ({low:.0%} to {high:.0%}):"
                " an estimate, not a proof."
            )
        if self.cost:
            lines.append(f"This call cost about ${self.cost:.4f}.")
        if self.skipped:
            lines.append(f"{self.skipped:,} images were skipped.")
        return "\n".join([*lines, *self.notes, f"Run {self.run}. Next: lucida review --question {self.question}"])

    def _seen(self) -> str:
        ran = f" ({self.engine})" if self.engine else ""
        found = f", with {self.objects:,} objects" if self.objects else ""
        lines = [
            f"{self.images:,} images have what {self.task!r} says for {self.question!r};"
            f" {self.new:,} new{found} in {self.seconds:.1f} s{ran}."
        ]
        if self.cost:
            lines.append(f"This call cost about ${self.cost:.4f}.")
        if self.skipped:
            lines.append(f"{self.skipped:,} images were skipped.")
        return "\n".join([*lines, *self.notes, f"Run {self.run}."])


def label(
    *,
    examples: Path | None = None,
    classes: str | None = None,
    question: str = "",
    model: str = "embedded",
    task: str = "classify",
    least: float | None = None,
    none_of_these: bool = False,
    adapt: bool = False,
    instructions: Path | None = None,
    cascade: bool = False,
    sure: float | None = None,
    max_cost: MaxCost = None,
    price: Price = None,
    votes: int = 1,
    together: int = 1,
    workers: Workers = 8,
    timeout: Timeout = None,
    template: list[str] | None = None,
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto",
    plan: bool = False,
    catalog: Path | None = None,
) -> LabelResult:
    """Label every image of the catalog: by examples, by words, or by the answers given so far.

    The same call again goes on where it stopped and labels what was added since. What a model behind an address may
    cost, and how it is asked, is said by the options of `lucida.models.openai_api.flags`.

    Args:
        examples: A folder with one sub-folder of example images a class. Examples only teach: they are not added.
        classes: Words instead: "dress,hat,shoes", or a YAML file of classes with a description or several each.
        question: What is asked, so that labels of different questions do not mix; "label" by default, or the name of
            the task. With `--task answer` it is put to the model.
        model: The model: "embedded"; one of the hub such as "siglip2", "hf:org/name", "timm:name" or its folder;
            "onnx:PATH"; one behind an address such as "gpt-4o" or "api:MODEL@URL". `lucida models` lists them. Several,
            "embedded,siglip2,gpt-4o", are all asked and pooled.
        task: "classify", one class an image; or any other of `lucida predict`: "detect", "segment", "tag", "read",
            "caption", "answer", …
        least: With such a task: leave out objects and tags that are less probable.
        none_of_these: By words only: also propose "none of these".
        adapt: By example only: first tune the embedded encoder on the images of the catalog, without labels, for a few
            minutes; it is used only if the examples are then named better. Needs PyTorch.
        instructions: For models that are asked in words: a file with rules, classes, definitions and examples, with a
            name and a version.
        cascade: With several models, the cheapest first: ask the next only where one is not sure.
        sure: With `cascade`: the probability from which a label stands; 0.9 by default.
        votes: How often a model that is asked answers each question; more than one are counted.
        together: Images a request; several are cheaper with long instructions, and less exact.
        template: By words only: a wording with {} for the class, such as "a satellite photo of a {}", instead of the
            usual ones; may be given several times.
        precision: Arithmetic of the model; "auto" measures which is faithful and fast.
        plan: Only say what it would cost; nothing is labelled or sent.
        catalog: Folder of the catalog; LUCIDA_CATALOG or ./lucida-catalog by default.

    Raises:
        InputError: Nothing to label by, a class with too few examples, or classes that are not clear.
        UnknownName: No such model.
        CatalogError: There is no catalog.
        ModelError: The model cannot run, or cannot do what is asked.
        MissingExtra: `adapt` without PyTorch.
    """
    from lucida.catalog import Catalog
    from lucida.label.choice import choose_labeller, model_names, read_asked
    from lucida.label.job import run_label
    from lucida.models.openai_api.options import ApiOptions

    api = ApiOptions(votes, together, workers, price, timeout)
    if task != "classify":
        return _see(task, model, question, classes, least, api, max_cost, precision, catalog)
    question = question or "label"
    with Catalog.open(catalog) as opened:
        asked = read_asked(
            opened,
            question=question,
            examples=examples,
            classes=classes,
            none_of_these=none_of_these,
            templates=template or (),
            instructions=instructions,
        )
        labeller = choose_labeller(
            opened,
            model_names(model),
            asked,
            api,
            max_cost=max_cost,
            precision=precision,
            cascade=cascade,
            sure=sure,
        )
        if plan:
            from lucida.label.plan import plan_label

            planned = plan_label(opened, labeller)
            return LabelResult("", 0, 0.0, question, tuple(labeller.classes), plan=planned)
        if not adapt:
            return run_label(opened, labeller, question=question)
        from lucida.label.adaptation import adapt_labeller

        better, adapted = adapt_labeller(opened, labeller)
        result = run_label(opened, better, question=question)
        return replace(result, adapted=adapted.to_json(), notes=(*result.notes, adapted.note))


def _see(
    task: str,
    model: str,
    question: str,
    classes: str | None,
    least: float | None,
    api: ApiOptions,
    max_cost: float | None,
    precision: Literal["auto", "fp32", "bf16", "int8"],
    catalog: Path | None,
) -> LabelResult:
    """Do any other task over the catalog."""
    from lucida.catalog import Catalog
    from lucida.label.seeing import run_seeing
    from lucida.models.registry import find
    from lucida.runs.asking import asked_so, read_wish, usual_model
    from lucida.runs.seeing import Seer
    from lucida.runs.spending import Budget

    wish = read_wish(task=task, classes=classes, questions=[question] if task == "answer" else [], least=least)
    with Catalog.open(catalog) as opened:
        spec = find(usual_model(wish, "" if model == "embedded" else model), opened.models)
        seer = Seer(asked_so(spec, api, max_cost), wish, precision, Budget(max_cost))
        return run_seeing(opened, seer, question=question or task)
