"""Who may ask: where keys are checked. On an address that only this machine reaches, nobody needs one."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Protocol


@dataclass(frozen=True)
class Holder:
    """Whoever sent a request.

    Attributes:
        name: For logs and quotas; never the key itself.
    """

    name: str

    def check(self, service: str, model: str) -> None:
        """Refuse what this holder may not ask.

        Args:
            service: Name of the task: "classify".
            model: Name under which the model is served.

        Raises:
            Refused: 403.
        """

    def take(self, images: int) -> None:
        """Count images against the quota of this holder: all of them or none.

        Raises:
            Refused: 429.
        """


class Keys(Protocol):
    """Says whose request this is, before its body is read."""

    def know(self, authorization: str, address: str) -> Holder:
        """Return who asks, whatever is asked; called first, and for every address but those of health.

        Args:
            authorization: The header of this name; "" without one.
            address: Where the request comes from.

        Raises:
            Refused: 401 without a key that is known, 429 after too many wrong ones.
        """
        ...

    def admit(self, authorization: str, scope: str) -> Holder:
        """Return who asks.

        Args:
            authorization: The header of this name; "" without one.
            scope: What is asked for: the name of a service, such as "classify".

        Raises:
            Refused: 401 without a key that is known, 403 for one that may not do this, 429 above its quota.
        """
        ...


class NoKeys:
    """Lets everybody in."""

    def know(self, authorization: str, address: str) -> Holder:
        """Return a holder without a name of its own."""
        return ANYONE

    def admit(self, authorization: str, scope: str) -> Holder:
        """Return a holder without a name of its own."""
        return ANYONE


ANYONE: Final = Holder("anyone")
# Whose request is being served: no address that serves models can forget to ask what its holder may do.
ASKING: Final[ContextVar[Holder]] = ContextVar("ASKING", default=ANYONE)
REQUEST: Final[ContextVar[str]] = ContextVar("REQUEST", default="")  # its id
