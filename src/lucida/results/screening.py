"""What a policy says of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from lucida.results.item import Item

OK: Final = "ok"


@dataclass(frozen=True)
class Finding:
    """What one rule says, where it does not say that all is well.

    Attributes:
        rule: Its name.
        score: How much was found, 0 to 1, as the rule's model says it.
        sure: Whether that breaks the rule; False where a person has to decide.
        action: "block", "flag" or "blur".
        reason: Why, in words.
        boxes: Where: left, top, right, bottom of each, in pixels of the image.
    """

    rule: str
    score: float
    sure: bool
    action: str
    reason: str = ""
    boxes: tuple[tuple[float, float, float, float], ...] = ()


@dataclass(frozen=True)
class Screening:
    """The verdict on one image.

    Attributes:
        label: "ok", or the name of the gravest rule that is broken.
        score: How sure that is, 0 to 1; one half where a rule's score is its threshold.
        findings: All rules that are broken or may be, the gravest first.
    """

    task: ClassVar[str] = "screen"
    label: str
    score: float
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> str:
        """ "breaks", "unsure" or "ok"."""
        if any(one.sure for one in self.findings):
            return "breaks"
        return "unsure" if self.findings else "ok"

    @property
    def reason(self) -> str:
        """Why, in words."""
        return "; ".join(one.reason for one in self.findings if one.reason)

    def items(self) -> tuple[Item, ...]:
        """Return it as statements: the verdict, then a rule each that is broken or may be."""
        whole = Item(self.label, round(self.score, 6), {"verdict": self.verdict, "reason": self.reason})
        return (whole, *(self._item(one) for one in self.findings))

    def _item(self, one: Finding) -> Item:
        detail: dict[str, Any] = {"sure": one.sure, "action": one.action, "reason": one.reason}
        if one.boxes:
            detail["boxes"] = [list(box) for box in one.boxes]
        return Item(one.rule, round(min(1.0, max(0.0, one.score)), 6), detail)

    @classmethod
    def of_items(cls, items: Sequence[Item]) -> Screening:
        """Return what these statements came from."""
        findings = []
        for item in items[1:]:
            detail = item.detail
            boxes = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in detail.get("boxes", ()))
            reason, action = str(detail.get("reason", "")), str(detail["action"])
            findings.append(Finding(item.label or "", item.score or 0.0, bool(detail["sure"]), action, reason, boxes))
        return cls(items[0].label or OK, items[0].score or 0.0, tuple(findings))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        rules = [{"rule": one.rule, **self._item(one).detail, "score": round(one.score, 4)}
                 for one in self.findings]  # fmt: skip
        return {"verdict": self.verdict, "label": self.label, "score": round(self.score, 4), "rules": rules}
