"""What a server watches over, as serve.yaml has it under `watch`; without it nothing is watched, and nothing costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lucida.serve.yaml_rules import Rule, number, read_table, size, switch, text, whole

if TYPE_CHECKING:
    from lucida.screen.nodes import Node

LIVE: Final = "live"  # the reference is what comes first


@dataclass(frozen=True)
class WatchSettings:
    """How live traffic is watched.

    Attributes:
        reference: What it is compared with: a certificate, a run of the catalog, "catalog", a folder of images, or
            "live" for the first images that come.
        model: Name under which the watched model is served; "" for the first that looks at images.
        false_alarms: Chance that there is ever an alarm although nothing has changed.
        sample: Share of the answered images that are compared, drawn at random.
        a_minute: At most so many of them.
        review: Share of the answers that are drawn for a person, who says whether they are right.
        keep_images: Whether images that clients sent are kept for that, and for alarms; only with a catalog.
        keep: Bytes of them, at most; the oldest go first.
        images: Of the reference, at most, drawn at random.
        encoder: What gives vectors of images.
    """

    reference: str = LIVE
    model: str = ""
    false_alarms: float = 0.05
    sample: float = 1.0
    a_minute: int = 60
    review: float = 0.01
    keep_images: bool = False
    keep: int = 256 * 2**20
    images: int = 1000
    encoder: str = "embedded"


_RULES: Final[dict[str, Rule]] = {
    "reference": text,
    "model": text,
    "false_alarms": number(1e-6, 0.5),
    "sample": number(0.0001, 1.0),
    "a_minute": whole(1, 100_000),
    "review": number(0.0, 1.0),
    "keep_images": switch,
    "keep": size(2**20, 2**40),
    "images": whole(100, 20_000),
    "encoder": text,
}


def read_watch(node: Node, what: str) -> WatchSettings:
    """Read the table `watch`, or the reference alone.

    Raises:
        InputError: A value is not what it must be.
        UnknownName: A key is not known.
    """
    if not isinstance(node.value, dict):
        return WatchSettings(node.text(what))
    values: dict[str, Any] = read_table(node, _RULES, what)
    return WatchSettings(**values)
