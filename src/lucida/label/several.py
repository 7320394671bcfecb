"""Several labellers on one question: all of them pooled, or one after the other until one is sure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import InputError
from lucida.label.labeller import Proposal
from lucida.results import Classification

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.catalog import Catalog
    from lucida.label.labeller import Labeller

BATCH = 256  # images that go through all labellers before they are written: what a kill may lose of the cheap ones
SURE = 0.9


class Several:
    """What panels and cascades share: the same classes, a folder each, costs and notes together.

    Args:
        members: The labellers, the cheapest first.
        encoder: Name and revision of the model whose vectors a review teaches on.

    Raises:
        InputError: They do not name the same classes.
    """

    mode = ""
    model: str
    revision: str
    classes: list[str]

    def __init__(self, members: Sequence[Labeller], encoder: tuple[str, str]) -> None:
        self.members, self.encoder = list(members), encoder
        self.model = "+".join(member.model for member in members)
        self.revision = "+".join(member.revision for member in members)
        self.classes = list(members[0].classes)
        for member in members[1:]:
            if sorted(member.classes) != sorted(self.classes):
                odd = sorted(set(member.classes) ^ set(self.classes))
                raise InputError(
                    "The labellers do not name the same classes.",
                    expected=f"{', '.join(self.classes[:8])}, as {members[0].model} has them",
                    got=f"{member.model}: {', '.join(odd[:8])} in one of the two only",
                    hint="give the classes in words: --classes",
                )

    @property
    def accuracy(self) -> tuple[float, float, float] | None:
        return None

    @property
    def engine(self) -> str:
        return ", ".join(dict.fromkeys(member.engine for member in self.members if member.engine))

    @property
    def cost(self) -> float | None:
        known = [member.cost for member in self.members if member.cost is not None]
        return sum(known) if known else None

    @property
    def notes(self) -> list[str]:
        return [f"{member.model}: {note}" for member in self.members for note in member.notes]

    def parameters(self) -> dict[str, Any]:
        name, revision = self.encoder
        members = [
            {"model": member.model, "revision": member.revision, **member.parameters()} for member in self.members
        ]
        # What a model was told stands at the top as well, where runs are told apart by it.
        told = next((m["instructions"] for m in members if "instructions" in m), None)
        return {
            "mode": self.mode,
            "classes": self.classes,
            "members": members,
            "encoder": name,
            "encoder_revision": revision,
            **({"instructions": told} if told else {}),
        }

    def check(self, catalog: Catalog, todo: Sequence[str], folder: Path | None) -> None:
        for i, member in enumerate(self.members):
            member.check(catalog, todo, folder and self._own(folder, i))

    def learn(self, catalog: Catalog, folder: Path) -> None:
        for i, member in enumerate(self.members):
            own = self._own(folder, i)
            own.mkdir(exist_ok=True)
            member.learn(catalog, own)

    def taught(self, catalog: Catalog) -> dict[str, str]:
        given: dict[str, str] = {}
        for member in reversed(self.members):
            given |= member.taught(catalog)
        return given

    def _own(self, folder: Path, number: int) -> Path:
        return folder / f"member-{number + 1}"

    def _ask(self, catalog: Catalog, member: Labeller, ids: Sequence[str]) -> dict[str, Proposal]:
        return {found.image: found for batch in member.propose(catalog, ids) for found in batch} if ids else {}


class Panel(Several):
    """Every labeller says what it thinks; the mean of their probabilities decides.

    How many of them give the label that wins goes with it, and how likely it is to be right depends on that: where all
    agree the mean is high, where they do not it is low. Source: the linear opinion pool, Stone 1961.
    """

    mode = "panel"

    def propose(self, catalog: Catalog, ids: Sequence[str]) -> Iterator[list[Proposal]]:
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            found = [self._ask(catalog, member, batch) for member in self.members]
            said = ({i: f[image] for i, f in enumerate(found) if image in f} for image in batch)
            # What a labeller left out, for its limit of cost, is left out of all: it comes again the next time.
            whole = [(image, s) for image, s in zip(batch, said, strict=True) if len(s) == len(self.members)]
            yield [self._pooled(image, proposals) for image, proposals in whole]

    def _pooled(self, image: str, said: Mapping[int, Proposal]) -> Proposal:
        known = {i: p.found for i, p in said.items() if p.found is not None}
        if not known:
            return Proposal(image, detail=_paid(said), problem="; ".join(p.problem for p in said.values()))
        each = np.array([spread(found, self.classes) for found in known.values()], np.float32)
        (found,) = Classification.from_probabilities(each.mean(axis=0, keepdims=True), self.classes)
        same = [i for i, f in known.items() if f.label == found.label]
        reason = next((r for i in same if (r := said[i].detail.get("reason"))), "")
        detail = {
            "agree": [len(same), len(known)],
            "said": [self._words(i, f, said[i]) for i, f in known.items()],
            **({"reason": reason} if reason else {}),
            **_paid(said),
        }
        return Proposal(image, found, detail)

    def _words(self, number: int, found: Classification, proposal: Proposal) -> dict[str, Any]:
        reason = proposal.detail.get("reason")
        own = {"model": self.members[number].model, "label": found.label, "score": round(found.score, 6)}
        return {**own, **({"reason": reason} if reason else {})}


class Cascade(Several):
    """Labellers one after the other: an image goes on to the next only where one is not sure.

    Args:
        members: The labellers, the cheapest first.
        encoder: Name and revision of the model whose vectors a review teaches on.
        sure: Probability from which a label stands, above 0 and at most 1.

    Raises:
        InputError: They do not name the same classes, or `sure` is no probability.
    """

    mode = "cascade"

    def __init__(self, members: Sequence[Labeller], encoder: tuple[str, str], sure: float = SURE) -> None:
        super().__init__(members, encoder)
        if not 0 < sure <= 1:
            raise InputError(
                "--sure is no probability.",
                expected="a number above 0 and at most 1",
                got=str(sure),
                hint=f"--sure {SURE}",
            )
        self._sure = sure
        self._settled = [0] * len(members)
        self._asked = [0] * len(members)

    def parameters(self) -> dict[str, Any]:
        return {**super().parameters(), "sure": self._sure}

    @property
    def notes(self) -> list[str]:
        return [*super().notes, *self._saved()]

    def propose(self, catalog: Catalog, ids: Sequence[str]) -> Iterator[list[Proposal]]:
        for start in range(0, len(ids), BATCH):
            waiting: list[str] = list(ids[start : start + BATCH])
            best: dict[str, Proposal] = {}
            for i, member in enumerate(self.members):
                found = self._ask(catalog, member, waiting)
                self._asked[i] += len(found)
                last = i == len(self.members) - 1
                for image in waiting:
                    mine = found.get(image)
                    # A labeller without an answer leaves standing what the one before it said.
                    if mine is not None and (mine.found is not None or image not in best):
                        paid = _paid({0: mine, 1: best[image]} if image in best else {0: mine})
                        best[image] = replace(mine, detail={**mine.detail, **paid, "by": member.model})
                # Left out for its limit of cost: such an image comes again the next time.
                waiting = [image for image in waiting if image in found]
                sure = {image for image in waiting if last or self._is_sure(found[image])}
                self._settled[i] += len(sure)
                waiting = [image for image in waiting if image not in sure]
                yield [best[image] for image in sure]

    def _is_sure(self, proposal: Proposal) -> bool:
        return proposal.found is not None and proposal.found.score >= self._sure

    def _saved(self) -> list[str]:
        total = sum(self._settled)
        if not total:
            return []
        shares = [
            f"{member.model} {settled:,} of {asked:,}"
            for member, settled, asked in zip(self.members, self._settled, self._asked, strict=True)
        ]
        lines = [f"Settled by each: {', '.join(shares)}."]
        for member, asked in zip(self.members, self._asked, strict=True):
            if member.cost and asked and asked < total:
                saved = member.cost / asked * (total - asked)
                lines.append(
                    f"{member.model} was asked about {asked:,} of {total:,} images for ${member.cost:.4f}; the others"
                    f" saved about ${saved:.4f}."
                )
        return lines


def spread(found: Classification, classes: Sequence[str]) -> list[float]:
    """Return a probability for every class: those not listed share what is left."""
    listed = {found.label: found.score, **dict(found.runner_up)}
    left = max(0.0, 1 - sum(listed.values())) / max(1, len(classes) - len(listed))
    return [listed.get(name, left) for name in classes]


def _paid(said: Mapping[int, Proposal]) -> dict[str, float]:
    costs = [p.detail["cost"] for p in said.values() if "cost" in p.detail]
    return {"cost": round(sum(costs), 8)} if costs else {}
