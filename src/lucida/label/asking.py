"""Labels by asking: a question about each image, to a model that talks; paid once, within a limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.errors import ImageError
from lucida.label.inquiry import Inquiry
from lucida.label.instructions import agreed, definitions_of
from lucida.label.journal import Journal
from lucida.label.labeller import Proposal
from lucida.label.vocabulary import NONE
from lucida.models.chat import Prompt, Reply
from lucida.results import Classification
from lucida.runs.spending import check_limit, too_small, unknown_price

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.label.instructions import Instructions
    from lucida.label.vocabulary import Vocabulary
    from lucida.models.spec import Model, Precision, Spec

JOURNAL = "answers.jsonl"
RUNNER_UPS = 8
BATCH = 200  # answers of the journal at a time
_LOOKED_AT = 50  # images tried before a catalog counts as unreadable


@dataclass(frozen=True)
class _First:
    """The reply to the question that was asked before the run began."""

    image: str
    reply: Reply


class AskLabeller:
    """Asks a model about each image.

    Args:
        spec: A model with the task "ask".
        vocabulary: The classes; None where the instructions have them.
        instructions: What the model is told beside the question.
        question: What is asked, in words, where the instructions do not say it.
        precision: Arithmetic of a model that runs here.
        max_cost: US dollars that the whole run may cost; None for no limit.
        settings: What else decides the answers, for the parameters of the run: {"votes": 3}.

    Raises:
        InputError: The classes are not clear, or the limit is no amount of money.
        ModelError: The model cannot be asked.
    """

    accuracy: tuple[float, float, float] | None = None

    def __init__(
        self,
        spec: Spec,
        vocabulary: Vocabulary | None = None,
        instructions: Instructions | None = None,
        *,
        question: str = "",
        precision: Precision = "auto",
        max_cost: float | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        if "ask" not in spec.tasks:
            raise spec.cannot("ask", "answer questions")
        check_limit(max_cost)
        self._spec, self._precision, self._max_cost = spec, precision, max_cost
        self._settings = dict(settings or {})
        self._vocabulary = agreed(vocabulary, instructions)
        self._instructions = instructions
        self._prompt = _prompt(self._vocabulary, instructions, question)
        self.model, self.revision = spec.name, spec.revision
        self.classes = self._vocabulary.labels
        self.cost: float | None = None
        self._begun: list[str] = []
        self._inquiry: Inquiry | None = None
        self._paid = 0.0
        self._running: Model | None = None
        self._first: _First | None = None
        self._journal: Journal | None = None

    @property
    def spec(self) -> Spec:
        """The model that is asked."""
        return self._spec

    @property
    def engine(self) -> str:
        """What answers, and where."""
        return self._running.engine if self._running is not None else ""

    @property
    def prompt(self) -> Prompt:
        """What is asked of each image."""
        return self._prompt

    def expect(self, images: int) -> tuple[float | None, float | None]:
        """Return what so many images usually cost, and at most, in US dollars; None where the price is not known."""
        model = self._model()
        size = max(1, model.together)
        usual, most = model.expect(self._prompt, size).cost, model.quote(self._prompt).cost
        return (None, None) if usual is None or most is None else (usual / size * images, most * images)

    @property
    def notes(self) -> list[str]:
        """Sentences for people: what leaves the machine, what it cost, what was left out."""
        return [*self._begun, *self._totals()]

    def parameters(self) -> dict[str, Any]:
        """Return all that decides the outcome; the limit of cost does not, so that a higher one goes on."""
        told = {"instructions": self._instructions.to_json()} if self._instructions else {}
        return {
            "mode": "asked",
            "classes": self.classes,
            "question_text": self._prompt.question,
            "descriptions": self._vocabulary.descriptions,
            **told,
            **self._settings,
            "encoder": "embedded",
        }

    def check(self, catalog: Catalog, todo: Sequence[str], folder: Path | None) -> None:
        """Ask about one image; its answer is kept and not paid for again.

        Raises:
            ModelError: The model cannot run or be reached.
            MissingExtra: A package is missing.
            ImageError: No image can be read any more.
            InputError: The limit of cost is less than one image may cost, a price is not known, or the examples and
                the images of one request are too many.
        """
        journal = Journal(folder / JOURNAL) if folder else None
        known = set(self.taught(catalog))
        known.update(image for image, _ in (journal.answers(todo) if journal else ()))
        todo = [image for image in todo if image not in known]
        if todo:
            # What one request cannot hold must be known before the run starts, not at its first full group.
            self._model().quote(self._prompt, self._model().together)
        if todo and self._within(journal):
            self._ask_first(catalog, todo)

    def _within(self, journal: Journal | None) -> bool:
        """Tell whether the limit lets one more question be asked, and refuse a limit that lets none."""
        if self._max_cost is None:
            return True
        at_most = self._model().quote(self._prompt).cost
        if at_most is None:
            raise unknown_price(self._spec, self._max_cost)
        spent = journal.tally.spent if journal else 0.0
        if spent + at_most > self._max_cost and not journal:
            raise too_small(self._max_cost, at_most)
        return spent + at_most <= self._max_cost

    def learn(self, catalog: Catalog, folder: Path) -> None:
        """Open the journal of the run, and keep the first answer and the instructions in its folder."""
        self._journal = Journal(folder / JOURNAL)
        self._paid = self._journal.tally.usage.cost or 0.0
        if self._first is not None:
            # An earlier question about it that a kill cut off stays counted.
            self._journal.sent([self._first.image], 0.0)
            self._journal.take([(self._first.image, self._first.reply)])
        self._begun = [self._spec.note] if self._spec.note else []
        if self._instructions is not None:
            changed = self._instructions.changed(catalog)
            self._begun += [changed] if changed else []
            copy = folder / f"instructions{self._instructions.suffix}"
            copy.write_text(self._instructions.text, encoding="utf-8")
        self._count()

    def taught(self, catalog: Catalog) -> dict[str, str]:
        """Return the classes of the instructions' own examples, as far as they are in the catalog."""
        from lucida.images import content_id

        shots = {content_id(shot.image): shot.answer for shot in self._prompt.shots}
        return {image: shots[image] for image in catalog.images.ids() if image in shots} if shots else {}

    def propose(self, catalog: Catalog, ids: Sequence[str]) -> Iterator[list[Proposal]]:
        """Propose labels: from the journal where they are paid for already, else by asking.

        Raises:
            ModelError: The model cannot be reached any more, or answered nothing about many images.
        """
        assert self._journal is not None, "learn comes first"
        known: set[str] = set()
        if self._first is not None and self._first.reply.problem and self._first.image in ids:
            # It was asked in this very call: it comes back with its problem, and is asked again the next time.
            known.add(self._first.image)
            yield [_proposal(self._first.image, self._first.reply)]
        for replies in _batches(self._journal.answers(ids)):
            known.update(image for image, _ in replies)
            yield [_proposal(image, reply) for image, reply in replies]
        todo = [image for image in ids if image not in known]
        if not todo:
            return
        if self._inquiry is None:
            reader = catalog.images.reader
            self._inquiry = Inquiry(self._model(), self._prompt, self._journal, reader, self._max_cost)
        try:
            for found in self._inquiry.ask(todo):
                yield [_proposal(image, reply) for image, reply in found]
        finally:
            self._count()

    def _model(self) -> Model:
        if self._running is None:
            self._running = self._spec.load(self._precision)
        return self._running

    def _ask_first(self, catalog: Catalog, todo: Sequence[str]) -> None:
        from lucida.images import check

        problem = ""
        for image in todo[:_LOOKED_AT]:
            try:
                data = catalog.images.read(image)
                check(data)
            except ImageError as error:
                problem = error.what
                continue
            reply = self._model().ask(self._prompt, [data])[0]
            self._first = _First(image, reply)
            self.cost = reply.usage.cost
            return
        if problem and len(todo) <= _LOOKED_AT:
            raise ImageError(
                f"None of the {len(todo):,} images can be read any more.",
                expected="the files where they were when they were added",
                got=problem,
                hint="put the files back, or lucida add FOLDER where they are now",
            )

    def _count(self) -> None:
        """Note what this call has spent so far."""
        assert self._journal is not None
        cost = self._journal.tally.usage.cost
        self.cost = None if cost is None else cost - self._paid

    def _totals(self) -> list[str]:
        if self._journal is None:
            return []
        tally, lines = self._journal.tally, []
        if self._inquiry is not None and self._inquiry.left:
            lines.append(
                f"Stopped at ${tally.spent:.4f} of ${self._max_cost or 0.0:g}: {self._inquiry.left:,} images left;"
                " the same command with a higher --max-cost goes on."
            )
        return [*lines, *tally.sentences()]


def _proposal(image: str, reply: Reply) -> Proposal:
    detail: dict[str, Any] = {} if reply.usage.cost is None else {"cost": round(reply.usage.cost, 8)}
    if reply.problem:
        return Proposal(image, detail=detail, problem=reply.problem)
    order = sorted(reply.probabilities.items(), key=lambda pair: -pair[1])
    (label, score), rest = order[0], order[1 : RUNNER_UPS + 1]
    found = Classification(label, round(score, 6), tuple((name, round(value, 6)) for name, value in rest))
    reason = {"reason": reply.reason} if reply.reason else {}
    return Proposal(image, found, {**reason, "basis": reply.basis, **detail})


def _batches(replies: Iterator[tuple[str, Reply]]) -> Iterator[list[tuple[str, Reply]]]:
    while batch := list(islice(replies, BATCH)):
        yield batch


def _prompt(vocabulary: Vocabulary, instructions: Instructions | None, question: str) -> Prompt:
    question = question or "What does the image show?"
    prompt = instructions.prompt(vocabulary.labels, question) if instructions else Prompt(question, ())
    meant = definitions_of(vocabulary) | ({NONE: "no other class fits"} if vocabulary.none_of_these else {})
    return Prompt(prompt.question, tuple(vocabulary.labels), meant, prompt.rules, prompt.shots)
