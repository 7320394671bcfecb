"""How a model behind an address is asked, as far as a person decides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lucida.errors import InputError


@dataclass(frozen=True)
class ApiOptions:
    """How a model is asked.

    Attributes:
        votes: Answers to each question, 1 to 16; more than one are drawn at random and counted.
        together: Images a request, 1 to 16. Several are cheaper where the instructions are long, and less exact.
        workers: Requests at a time, 1 to 64.
        price: "IN/OUT", US dollars per million tokens, instead of the table's.
        timeout: Seconds that one request may take; None for 120, or 600 where the model runs on this machine.
        attempts: How often a request is tried while the server is busy or broken.

    Raises:
        InputError: A number is out of its range.
    """

    votes: int = 1
    together: int = 1
    workers: int = 8
    price: str | None = None
    timeout: float | None = None
    attempts: int = 7

    def __post_init__(self) -> None:
        for name, most in (("votes", 16), ("together", 16), ("workers", 64), ("attempts", 100)):
            value = getattr(self, name)
            if not 1 <= value <= most:
                raise InputError(
                    f"The number of {name} is out of range.",
                    expected=f"1 to {most}",
                    got=str(value),
                    hint=f"--{name} {max(1, min(most, value))}",
                )
        if self.timeout is not None and not 0 < self.timeout < float("inf"):
            raise InputError("The time-out is out of range.", expected="seconds above 0", got=str(self.timeout))

    def settings(self) -> dict[str, Any]:
        """Return what decides the answers, as plain JSON values, for the parameters of a run."""
        return {"votes": self.votes, "together": self.together}


USUAL: Final = ApiOptions()
