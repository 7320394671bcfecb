"""The policy at work around pictures that are drawn: it reads the prompt, and looks at what goes in and comes out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import InputError, ModelError
from lucida.results.screening import Screening
from lucida.screen.prompts import read_prompt
from lucida.serve.refusal import Refused

if TYPE_CHECKING:
    from lucida.runs.seeing import Seen
    from lucida.screen.policy import Policy

FIELD: Final = "policy"  # of an answer
HEADER: Final = "x-policy"


class Blocked(InputError):
    """The policy of the server forbids this."""

    code = "content_policy_violation"  # what clients of OpenAI look for


@dataclass(frozen=True)
class Guard:
    """Watches over one request for pictures.

    Attributes:
        policy: The rules; None where everything may be.
        see: Looks at images by them.
        found: What a person should look at.
    """

    policy: Policy | None = None
    see: Callable[[Sequence[bytes]], list[Seen]] | None = None
    found: list[dict[str, Any]] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.Lock)

    @property
    def looks(self) -> bool:
        """Whether it looks at images."""
        return self.see is not None

    def begun(self) -> Guard:
        """Return one for a request of its own."""
        return replace(self, found=[])

    def words(self, prompt: str) -> None:
        """Read a prompt.

        Raises:
            Refused: 403, it may not be drawn.
        """
        for hit in read_prompt(self.policy.prompts, prompt) if self.policy is not None else ():
            self._weigh("prompt", hit.rule, hit.action == "block", f"says {hit.said!r}")

    def sent(self, files: Mapping[str, bytes]) -> None:
        """Look at images that a picture is to begin from; a mask shows nothing.

        Raises:
            Refused: 403, one of them may not be used.
        """
        for name, data in files.items():
            if name != "mask":
                self._look(name, data)

    def picture(self, data: bytes) -> None:
        """Look at a picture that was drawn.

        Raises:
            Refused: 403, it may not be shown.
        """
        self._look("picture", data)

    def to_json(self) -> dict[str, Any]:
        """Return what an answer says of it; nothing where there is no policy."""
        if self.policy is None:
            return {}
        said = {"policy": self.policy.name, "verdict": "review" if self.found else "ok", "found": self.found}
        return {FIELD: said}

    def look(self, data: bytes) -> Seen:
        """Look at one image by the rules of images."""
        assert self.see is not None
        # Rules share models, and those are for one thread.
        with self._lock:
            (seen,) = self.see([data])
        return seen

    def _look(self, what: str, data: bytes) -> None:
        if self.see is None:
            return
        seen = self.look(data)
        if seen.result is None:
            # Nobody can say that it may be.
            raise ModelError(
                "The policy gave no verdict.", expected="a verdict", got=seen.problem, hint="send the request anew"
            )
        assert isinstance(seen.result, Screening)
        for one in seen.result.findings:
            self._weigh(what, one.rule, one.sure and one.action == "block", one.reason)

    def _weigh(self, what: str, rule: str, blocked: bool, reason: str) -> None:
        if not blocked:
            self.found.append({"of": what, "rule": rule, "reason": reason})
            return
        assert self.policy is not None
        raise Refused(
            403,
            Blocked(
                f"The policy {self.policy.name!r} forbids this {what.replace('_', ' ')}.",
                expected="a request that breaks no rule",
                got=f"one that breaks the rule {rule!r}",
                hint="ask for something else; nothing was drawn" if what != "picture"
                else "ask in other words, or with another seed; the picture was not kept",
            ),
        )  # fmt: skip
