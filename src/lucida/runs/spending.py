"""A limit of what a model that is paid for may cost, kept whatever the answers turn out to be."""

from __future__ import annotations

from math import isfinite
from threading import Condition
from typing import TYPE_CHECKING, Final

from lucida.errors import InputError
from lucida.models.chat import Said, Talk, Turn

if TYPE_CHECKING:
    from lucida.models.spec import Model, Spec

NOT_ASKED: Final = "it was not asked about: the limit of cost is reached"
_SHORT: Final = Talk((Turn("?", (b"",)),))


class Budget:
    """Lets a model be asked for as long as the limit is kept; may be used from several threads.

    A question is put only if what is spent, what is under way and what it costs itself at most keep the limit. Near the
    limit it waits for those under way, whose true cost is then known.

    Args:
        limit: US dollars; None for no limit.

    Attributes:
        limit: US dollars; None for no limit.
        spent: US dollars so far.
        over: Whether a question was refused; none is put from then on.

    Raises:
        InputError: The limit is no amount of money.
    """

    def __init__(self, limit: float | None = None) -> None:
        check_limit(limit)
        self.limit, self.spent, self.over = limit, 0.0, False
        self._under_way, self._changed = 0.0, Condition()

    def check(self, model: Model) -> None:
        """Make sure that the price of a model is known, and that the limit lets one question be asked.

        Raises:
            InputError: It is not, or does not.
        """
        if self.limit is None:
            return
        at_most = model.quote_talk(_SHORT).cost
        if at_most is None:
            raise unknown_price(model.spec, self.limit)
        if self.spent + at_most > self.limit and not self.spent:
            raise too_small(self.limit, at_most)

    def say(self, model: Model, talk: Talk) -> Said:
        """Have a model say what comes next in a talk; where that could cost too much, nothing is sent.

        Raises:
            ModelError: The model cannot be reached, or will answer nothing at all.
        """
        if self.limit is None:
            return model.say(talk)
        at_most = model.quote_talk(talk).cost or 0.0
        if not self._take(at_most):
            return Said(problem=NOT_ASKED)
        cost = at_most  # of a request that fails nobody knows what it cost
        try:
            said = model.say(talk)
            cost = said.usage.cost or 0.0
        finally:
            with self._changed:
                self._under_way -= at_most
                self.spent += cost
                self._changed.notify_all()
        return said

    def _take(self, at_most: float) -> bool:
        assert self.limit is not None
        with self._changed:
            while not self.over:
                if self.spent + self._under_way + at_most <= self.limit:
                    self._under_way += at_most
                    return True
                if self.spent + at_most > self.limit:
                    self.over = True
                    self._changed.notify_all()
                else:
                    self._changed.wait()
            return False


def check_limit(limit: float | None) -> None:
    """Refuse a limit that is no amount of money.

    Raises:
        InputError: It is none.
    """
    if limit is not None and not (isfinite(limit) and limit > 0):
        raise InputError(
            "The limit of cost is no amount of money.",
            expected="US dollars above 0",
            got=str(limit),
            hint="--max-cost 5",
        )


def unknown_price(spec: Spec, limit: float) -> InputError:
    """Return the error for a limit of a model whose price is not known."""
    return InputError(
        "A limit of cost cannot be kept: the price of this model is not known.",
        expected="its price",
        got=f"--max-cost {limit:g} and no price of {spec.name!r}",
        hint="--price IN/OUT, US dollars per million tokens: --price 0.15/0.60",
    )


def too_small(limit: float, at_most: float) -> InputError:
    """Return the error for a limit that lets nothing be asked."""
    enough = float(f"{max(0.01, 100 * at_most):.2g}")
    return InputError(
        "The limit of cost is less than one image may cost.",
        expected=f"at least ${at_most:.4f}",
        got=f"--max-cost {limit:g}",
        hint=f"--max-cost {enough:g}",
    )
