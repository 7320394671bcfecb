"""Who may ask: where keys are checked. On an address that only this machine reaches, nobody needs one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Holder:
    """Whoever sent a request.

    Attributes:
        name: For logs and quotas; never the key itself.
    """

    name: str


class Keys(Protocol):
    """Says whose request this is, before its body is read."""

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

    def admit(self, authorization: str, scope: str) -> Holder:
        """Return a holder without a name of its own."""
        return Holder("anyone")
