"""A policy at work: every rule looks at every image, the gravest broken one gives the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lucida.errors import ImageError
from lucida.images import decode
from lucida.models.chat import Usage
from lucida.results.screening import OK, Finding, Screening
from lucida.runs.seeing import Seen
from lucida.screen.looks import Batch, Models, Sight, look_of

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.images import Image
    from lucida.screen.policy import Policy, Rule


class Screener:
    """Looks at images by a policy.

    Args:
        policy: The rules.
        home: Where a catalog keeps models of its own.

    Raises:
        UnknownName: No such model or class.
        ModelError: A model cannot do what its rule asks.
        MissingExtra: A model needs a package that is not installed.
    """

    def __init__(self, policy: Policy, home: Path | None = None) -> None:
        self.policy = policy
        models = Models(home)
        self._looks = [(rule, look_of(policy, rule, models)) for rule in policy.rules]

    @property
    def models(self) -> str:
        """Names of the models, joined by "+"."""
        return "+".join(dict.fromkeys(look.spec.name for _, look in self._looks))

    @property
    def revision(self) -> str:
        """What changes whenever a verdict may."""
        keys = "+".join(dict.fromkeys(look.spec.revision for _, look in self._looks))
        return f"{self.policy.digest}+{keys}"[:200]

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that images may get."""
        return (OK, *(rule.name for rule in self.policy.rules))

    def see(self, files: Sequence[bytes]) -> list[Seen]:
        """Judge some images.

        Args:
            files: Encoded; what is wrong with one is in what comes back for it.
        """
        found: list[Seen | None] = [None] * len(files)
        rows: list[int] = []
        images: list[Image] = []
        for row, data in enumerate(files):
            try:
                images.append(decode(data))
                rows.append(row)
            except ImageError as error:
                found[row] = Seen(problem=error.what)
        if rows:
            batch = Batch([files[row] for row in rows], images)
            sights = [(rule, look.see(batch)) for rule, look in self._looks]
            for place, (row, image) in enumerate(zip(rows, images, strict=True)):
                height, width = image.pixels.shape[:2]
                verdict = judge([(rule, seen[place]) for rule, seen in sights])
                found[row] = Seen(verdict, usage=Usage(), size=(width, height))
        return [one for one in found if one is not None]


def judge(sights: Sequence[tuple[Rule, Sight]]) -> Screening:
    """Return the verdict on an image.

    Args:
        sights: What each rule finds, the gravest rule first.
    """
    findings = tuple(
        Finding(rule.name, sight.score, sight.score >= rule.threshold, rule.action, sight.reason, sight.boxes)
        for rule, sight in sights
        if sight.score >= rule.unsure and sight.score > 0
    )
    risks = {rule.name: rule.risk(sight.score) for rule, sight in sights}
    broken = [one for one in findings if one.sure]
    if broken:
        return Screening(broken[0].rule, risks[broken[0].rule], findings)
    return Screening(OK, 1 - max(risks.values(), default=0.0), findings)
