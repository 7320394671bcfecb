"""The limit of what a model may cost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lucida.errors import InputError
from lucida.models.chat import Said, Talk, Turn, Usage
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Model, Spec
from lucida.runs.spending import NOT_ASKED, Budget

SPEC = Spec("paid", "test", ("answer",), ImageNeeds(8), Gives(), "MIT", "a test", "1")
TALK = Talk((Turn("?"),))


class Paid(Model):
    """Costs ten cents, and thirty at most."""

    def __init__(self, most: float | None = 0.3) -> None:
        super().__init__(SPEC)
        self.most, self.asked = most, 0

    def quote_talk(self, talk: Talk) -> Usage:
        return Usage(cost=self.most)

    def say(self, talk: Talk) -> Said:
        self.asked += 1
        if talk.rules:
            raise RuntimeError
        return Said("yes", usage=Usage(cost=0.1))


@pytest.mark.parametrize("workers", [1, 8])
def test_the_limit_is_kept_and_used_as_far_as_it_goes(workers: int) -> None:
    budget, model = Budget(1.0), Paid()
    with ThreadPoolExecutor(workers) as pool:
        said = list(pool.map(lambda _: budget.say(model, TALK), range(20)))
    # Eight were paid; a ninth could have cost thirty cents.
    assert model.asked == 8
    assert budget.spent == pytest.approx(0.8)
    assert budget.over
    assert [one.problem for one in said].count(NOT_ASKED) == 12


def test_what_fails_counts_as_paid() -> None:
    budget, model = Budget(1.0), Paid()
    with pytest.raises(RuntimeError):
        budget.say(model, Talk((Turn("?"),), rules="fail"))
    assert budget.spent == pytest.approx(0.3)
    assert budget.say(model, TALK).text == "yes"


def test_no_limit_asks_for_no_price() -> None:
    model = Paid(None)
    Budget().check(model)
    assert Budget().say(model, TALK).text == "yes"


@pytest.mark.parametrize(
    ("limit", "most", "match"),
    [(-1, 0.3, "no amount"), (float("nan"), 0.3, "no amount"), (0.2, 0.3, "less than one"), (1, None, "not known")],
)
def test_limits_that_cannot_be_kept_are_refused(limit: float, most: float | None, match: str) -> None:
    with pytest.raises(InputError, match=match):
        Budget(limit).check(Paid(most))
