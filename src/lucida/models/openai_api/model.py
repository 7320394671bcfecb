"""A model behind an address: asks, reads, asks again where the answer cannot be used, and counts what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from lucida.errors import ImageError, InputError
from lucida.models.chat import Basis, Prompt, Reply, Said, Talk, Usage
from lucida.models.openai_api import talking
from lucida.models.openai_api.answers import Answer, read_answers
from lucida.models.openai_api.completion import Choice
from lucida.models.openai_api.confidence import by_tokens, by_votes, self_report
from lucida.models.openai_api.cost import answer_tokens, request_tokens, request_usage, shared
from lucida.models.openai_api.drawing import DrawingModel
from lucida.models.openai_api.picture import data_url
from lucida.models.openai_api.server import Asking, Server
from lucida.models.openai_api.wording import messages, schema

if TYPE_CHECKING:
    from lucida.models.openai_api.address import Address
    from lucida.models.openai_api.options import ApiOptions
    from lucida.models.openai_api.providers import Price
    from lucida.models.spec import Spec

AGAIN = 3  # times that a question is asked again after an answer that cannot be used
VOTING = 0.7  # randomness where answers are counted
USUAL_ANSWER, USUAL_THOUGHT = 80, 1_000  # tokens of a usual answer, and of thinking before it
LONGER = 2  # by how much an answer that was cut off may be longer the next time


@dataclass
class _Open:
    """One image of a call: what was said of it so far."""

    url: str
    votes: list[tuple[Answer, dict[str, float], Basis]] = field(default_factory=list)
    problem: str = ""
    usage: Usage = field(default_factory=Usage)


class OpenAiModel(DrawingModel):
    """A model that is asked over the network; safe to be called from several threads.

    Args:
        spec: Its spec.
        address: Where it is asked.
        options: How it is asked.
        price: What tokens cost; None where that is not known.
        sleep: Waits so many seconds between attempts; by default until it is stopped.
    """

    def __init__(
        self,
        spec: Spec,
        address: Address,
        options: ApiOptions,
        *,
        price: Price | None,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        super().__init__(spec, address, options, sleep=sleep)
        self._price = price
        # The examples of a prompt go with every question.
        self._shot = lru_cache(maxsize=256)(self._url)

    @cached_property
    def _server(self) -> Server:
        # Made when it is first asked: what it costs can be told without a key.
        return Server(self._address, self._options, self._price, self._sleep, self._stopped.is_set)

    @property
    def together(self) -> int:
        """How many images one call of `ask` takes."""
        return self._options.together

    @property
    def workers(self) -> int:
        """How many calls of `ask` run at a time."""
        return self._options.workers

    def ask(self, prompt: Prompt, images: Sequence[bytes]) -> list[Reply]:
        """Answer a question about each of a few images.

        Args:
            prompt: What is asked.
            images: Encoded image files, at most `together`.

        Raises:
            InputError: There are no classes, or more images and shots than one request takes.
            MissingExtra: The package `openai` is not installed.
            ModelError: A key is needed and not there; or the model cannot be reached or will answer no image at all.
        """
        self._check(prompt, len(images))
        shots = [self._shot(shot.image) for shot in prompt.shots]
        found: list[_Open | Reply] = [self._opened(image) for image in images]
        self._ask_open(prompt, shots, [each for each in found if isinstance(each, _Open)])
        return [each if isinstance(each, Reply) else _reply(each, prompt) for each in found]

    def quote(self, prompt: Prompt, images: int = 1) -> Usage:
        """Return what asking about so many images takes at most, all repeated questions included.

        Raises:
            InputError: There are no classes, or more images and shots than one request takes.
        """
        self._check(prompt, images)
        rounds = AGAIN + self._options.votes
        answers = self._options.votes if self._address.provider.samples else 1
        longest = LONGER * answer_tokens(1, thinks=self._address.offer.thinks)
        once = request_usage(self._address, self._price, prompt, 1, answers=answers, longest=longest)
        # Several images in one request cost less than one by one, which is what a refused request falls back to.
        times = rounds * images
        cost = None if once.cost is None else times * once.cost
        return Usage(times * once.input_tokens, times * once.output_tokens, cost)

    def expect(self, prompt: Prompt, images: int = 1) -> Usage:
        """Return what asking about so many images usually takes: one answer of usual length to each vote."""
        answers = self._options.votes * images
        longest = USUAL_ANSWER + (USUAL_THOUGHT if self._address.offer.thinks else 0)
        return request_usage(self._address, self._price, prompt, images, answers=answers, longest=longest)

    def say(self, talk: Talk) -> Said:
        """Say what comes next in a talk.

        Raises:
            MissingExtra: The package `openai` is not installed.
            ModelError: A key is needed and not there; or the model cannot be reached or will answer nothing at all.
        """
        try:
            return talking.say(self._server, talk, self._url)
        except ImageError as error:
            return Said(problem=error.what)

    def quote_talk(self, talk: Talk) -> Usage:
        """Return what an answer takes at most, those that have to be asked for again included."""
        return talking.quote(self._address, self._price, talk)

    def _check(self, prompt: Prompt, images: int) -> None:
        if not prompt.classes:
            raise InputError("There are no classes to choose from.", expected="one or more", got="none")
        most = self._address.provider.images
        if images + len(prompt.shots) > most:
            raise InputError(
                f"There are too many images for one request to {self._address.provider.name}.",
                expected=f"at most {most}, examples included",
                got=f"{images} and {len(prompt.shots)} examples",
                hint="a smaller --together, or fewer examples in the instructions",
            )

    def _url(self, data: bytes) -> str:
        return data_url(data, most=self._address.provider.image_bytes, side=self.spec.needs.size)

    def _opened(self, data: bytes) -> _Open | Reply:
        try:
            return _Open(self._url(data))
        except ImageError as error:
            return Reply(problem=error.what)

    def _ask_open(self, prompt: Prompt, shots: Sequence[str], images: list[_Open], rounds: int | None = None) -> None:
        wanted, again, longest = self._options.votes, "", 0
        for left in range(AGAIN + wanted if rounds is None else rounds, 0, -1):
            asked = [image for image in images if len(image.votes) < wanted]
            if not asked:
                return
            missing = max(wanted - len(image.votes) for image in asked)
            usual = answer_tokens(len(asked), thinks=self._address.offer.thinks)
            outcome = self._server.complete(
                Asking(
                    messages(prompt, shots, [image.url for image in asked], again=again),
                    request_tokens(self._address, prompt, len(asked)),
                    schema(prompt, len(asked)),
                    classes=len(prompt.classes),
                ),
                answers=missing if self._server.dialect.samples else 1,
                heat=VOTING if wanted > 1 else 0.0,
                longest=min(longest, LONGER * usual) or usual,
            )
            for image, part in zip(asked, shared(outcome.usage, len(asked)), strict=True):
                image.usage += part
                image.problem = outcome.problem or image.problem
            if outcome.hopeless:
                self._one_by_one(prompt, shots, asked, outcome.usage == Usage())
                return
            for choice in outcome.choices:
                self._take(prompt, choice, asked, wanted)
            if len(asked) > 1 and not any(image.votes for image in images):
                # A model that does not keep several images apart is asked about each alone, within the same rounds.
                for image in images:
                    self._ask_open(prompt, shots, [image], left - 1)
                return
            again = next((image.problem for image in asked if not image.votes), "") if outcome.choices else again
            longest = LONGER * usual if any(choice.cut for choice in outcome.choices) else longest

    def _one_by_one(self, prompt: Prompt, shots: Sequence[str], images: list[_Open], unpaid: bool) -> None:
        """Ask again for each image alone, where one of several may have spoilt a request that cost nothing."""
        if len(images) > 1 and unpaid and all(image.usage == Usage() for image in images):
            for image in images:
                self._ask_open(prompt, shots, [image])

    def _take(self, prompt: Prompt, choice: Choice, asked: list[_Open], wanted: int) -> None:
        answers = (
            [Answer(problem=choice.problem)] * len(asked)
            if choice.problem
            else read_answers(choice.text, prompt.classes, len(asked))
        )
        likely = by_tokens(choice.tokens, [answer.label for answer in answers], prompt.classes)
        for image, answer, probabilities in zip(asked, answers, likely, strict=True):
            if answer.problem:
                image.problem = "The answer was cut off." if choice.cut and not choice.problem else answer.problem
            elif len(image.votes) < wanted:
                basis: Basis = "self-report" if probabilities is None else "log-probabilities"
                image.votes.append((answer, probabilities or self_report(answer, prompt.classes), basis))


def _reply(image: _Open, prompt: Prompt) -> Reply:
    if not image.votes:
        return Reply(problem=image.problem or "There was no answer.", usage=image.usage)
    if len(image.votes) == 1:
        answer, probabilities, basis = image.votes[0]
        reply = Reply(probabilities, answer.reason, basis, usage=image.usage)
    else:
        labels = [answer.label for answer, _, _ in image.votes]
        probabilities = by_votes([each for _, each, _ in image.votes], labels)
        reply = Reply(probabilities, basis="votes", usage=image.usage)
    # A reason speaks for its own answer only.
    likeliest = max(probabilities, key=probabilities.__getitem__)
    reasons = (answer.reason for answer, _, _ in image.votes if answer.label == likeliest and answer.reason)
    return replace(reply, reason=next(reasons, ""))
