"""Questions about an image, put by a person on the Look page to a model that answers in words."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import InputError, LucidaError, ModelError, UnknownName
from lucida.models.chat import Talk, Turn

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.models.chat import Said
    from lucida.runs.seeing import Seer

KEPT: Final = 200  # answers that can still be kept
LOADED: Final = 2  # models at a time
SHORT: Final = "How many people are in this image, and what do they do?"
VERB: Final = "ask"  # a run of its own: no certificate speaks of it, and none ends by it


@dataclass(frozen=True)
class _Answered:
    """An answer as the model gave it: what is kept is this, and not what a browser says it was."""

    image: str
    seer: Seer
    questions: tuple[str, ...]
    before: tuple[tuple[str, str], ...]
    said: Said


class Asking:
    """Puts questions to models; nothing is sent before `ask` is called.

    Args:
        catalog: An open catalog.
        models: Names of models that are offered first.
    """

    def __init__(self, catalog: Catalog, models: Sequence[str] = ()) -> None:
        self.catalog, self.models = catalog, tuple(models)
        self._seers: OrderedDict[str, Seer] = OrderedDict()
        self._answered: OrderedDict[str, _Answered] = OrderedDict()
        self._lock, self._loading = threading.Lock(), threading.Lock()

    def offers(self) -> list[dict[str, Any]]:
        """Return the models that are ready, each with where images would go."""
        from lucida.models.hub.aliases import ALIASES
        from lucida.models.hub.download import is_cached
        from lucida.models.openai_api.address import read_address
        from lucida.models.openai_api.family import OpenAiFamily

        runs = [run for run in self.catalog.runs.all() if run.parameters.get("task") in ("answer", "caption")]
        here = [alias.name for alias in ALIASES if "answer" in alias.tasks and is_cached(alias.uri)]
        addresses = [(name, read_address(name).key) for name in OpenAiFamily().suggestions()]
        keyed = [name for name, key in addresses if key and os.environ.get(key)]
        names = dict.fromkeys([*self.models, *(run.model for run in reversed(runs)), *here, *keyed])
        found = []
        for name in names:
            # A run's model may be one that this program does not know by that name any more.
            with contextlib.suppress(LucidaError):
                found += [self.place(name)] if name else []
        return found

    def place(self, name: str) -> dict[str, Any]:
        """Return where an image would go to be seen by a model, and what a short question costs at most.

        Nothing is sent for it.

        Raises:
            ModelError: The name is not clear.
        """
        from lucida.models.openai_api.address import is_address, read_address
        from lucida.models.openai_api.family import api_spec

        name = name.strip()
        if not is_address(name):
            return {"name": name, "local": True, "host": "", "most": None}
        address = read_address(name)
        # Of a model behind an address this is a matter of tables; others would have to be loaded.
        most = api_spec(name).load().quote_talk(Talk((Turn(SHORT, (b"",)),), reason=True)).cost
        return {"name": name, "local": address.local, "host": address.host, "most": most or None}

    def ask(
        self,
        image: str,
        model: str,
        before: Sequence[tuple[str, str]],
        question: str,
        stop: threading.Event | None = None,
    ) -> dict[str, Any]:
        """Ask a question about an image, with what was said of it before.

        Args:
            image: Content id.
            model: Name of a model.
            before: Questions and their answers.
            question: The question.
            stop: Set by another thread once the answer is not wanted any more.

        Returns:
            The answer in words, its reason, score and cost in US dollars, and under which token it can be kept.

        Raises:
            LucidaError: There is no answer.
        """
        data = self.catalog.images.read(image)
        seer = self._seer(model.strip(), question)
        turns = [Turn(text, by=by) for pair in before for text, by in zip(pair, ("user", "assistant"), strict=True)]  # type: ignore[arg-type]
        turns.append(Turn(question.strip()))
        # The image goes with the first question.
        turns[0] = Turn(turns[0].text, (data,))
        began = time.monotonic()
        said = _say(seer, Talk(tuple(turns), reason=True, stop=stop))
        if said.problem:
            raise ModelError(
                f"{seer.spec.name} gave no answer.",
                expected="an answer in words",
                got=said.problem,
                hint="ask in another way, or another model",
            )
        token = secrets.token_urlsafe(12)
        questions = (*(one for one, _ in before), question.strip())
        with self._lock:
            self._answered[token] = _Answered(image, seer, questions, tuple(before), said)
            while len(self._answered) > KEPT:
                self._answered.popitem(last=False)
        return {
            "token": token,
            "model": seer.spec.name,
            "text": said.text,
            "reason": said.reason,
            "score": said.score,
            "cost": said.usage.cost,
            "tokens": said.usage.input_tokens + said.usage.output_tokens,
            "seconds": round(time.monotonic() - began, 2),
        }

    def keep(self, token: str) -> dict[str, str]:
        """Keep an answer as an annotation of its image; the question in words is the question's name.

        Raises:
            UnknownName: The answer is not at hand any more.
            InputError: The catalog asks something else under this name.
        """
        from lucida.catalog import Annotation
        from lucida.results import Text
        from lucida.runs.seeing import Wish

        with self._lock:
            found = self._answered.get(token)
        if found is None:
            raise UnknownName("answer", token, [], hint="ask again")
        question, spec = found.questions[-1], found.seer.spec
        other = next((run for run in self.catalog.runs.all(question) if not _talks(run)), None)
        if other is not None:
            raise InputError(
                f"The catalog has other answers to {question!r} already.",
                expected="a question that only models in words were asked",
                got=f"the run {other.id}",
                hint="ask it in slightly other words",
            )
        wish = Wish("answer", questions=found.questions, reason=True)
        parameters = {"mode": "asked here", **wish.to_json()}
        run = self.catalog.runs.start(
            VERB, question=question, model=spec.name, revision=spec.revision, parameters=parameters
        )
        said = found.said
        (item,) = Text(said.text, said.score, said.reason, before=found.before).items()
        cost = {} if said.usage.cost is None else {"cost": round(said.usage.cost, 8)}
        note = Annotation(
            found.image, question, run.id, label=item.label, score=item.score, detail={**item.detail, **cost}
        )
        self.catalog.annotations.append([note])
        return {"run": run.id}

    def _seer(self, name: str, question: str) -> Seer:
        from lucida.models.registry import find
        from lucida.runs.seeing import Seer, Wish

        # One model is loaded at a time; whoever asks for the same one waits for it.
        with self._loading:
            if name not in self._seers:
                seer = Seer(find(name, self.catalog.models), Wish("answer", questions=(question,)))
                _ = seer.model
                self._seers[name] = seer
                while len(self._seers) > LOADED:
                    self._seers.popitem(last=False)
            self._seers.move_to_end(name)
            return self._seers[name]


def _say(seer: Seer, talk: Talk) -> Said:
    try:
        return seer.model.say(talk)
    except (RuntimeError, MemoryError, OSError) as error:
        # A network that runs out of memory must not look like a lost connection.
        raise ModelError(
            f"{seer.spec.name} failed.",
            expected="an answer in words",
            got=str(error)[:300] or type(error).__name__,
            hint="ask again, or another model",
        ) from error


def _talks(run: Run) -> bool:
    """Tell whether a run answers in words, or is a person's review of one that does."""
    return run.parameters.get("task") in ("answer", "caption") or run.verb == "review"
