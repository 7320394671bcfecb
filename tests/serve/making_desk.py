"""A server that draws, restores, searches, screens and talks, with tiny models and a catalog of two pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lucida.catalog import Catalog
from lucida.models import find
from lucida.models.chat import Said, Talk, Usage
from lucida.models.spec import Model, Spec
from lucida.screen.policy import read_policy
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.served import Served, Shelf
from models.tiny_generators import flow
from models.tiny_restorers import upscaler
from search.colours import COLOURS
from served_models import talker

POLICY = """\
name: house rules
rules:
  - name: dogs
    words: [a dog]
    threshold: 0.000001
    unsure: 0
    action: flag
prompts:
  - name: weapons
    text: [pipe bomb, 炸弹]
"""


class Recorder(Model):
    """Keeps what it was asked."""

    talks: list[Talk] = []  # noqa: RUF012

    def say(self, talk: Talk) -> Said:
        Recorder.talks.append(talk)
        data = {"round": True} if talk.schema else None
        return Said("" if data else f"heard {talk.turns[-1].text}", data=data, usage=Usage(12, 3))


def recorder() -> Served:
    """Return a model that talks and keeps what it was asked."""
    made = replace(talker().spec, build=lambda spec, precision, trial: Recorder(spec))
    return Served("recorder", made)


def by_path(name: str, card: Path) -> Served:
    """Return a model as `lucida serve NAME=PATH` serves it."""
    return Served(name, find(str(card)), str(card))


def making_desk(folder: Path, catalog: Catalog | None) -> Desk:
    """Return what is behind the server; it is loaded when an application starts."""
    (folder / "policy.yaml").write_text(POLICY)
    models = [
        Served("embedded", find("embedded")),
        Served("colours", colours()),
        by_path("painter", flow(folder / "painter")),
        by_path("larger", upscaler(folder / "larger", 2)),
        recorder(),
    ]
    return Desk(Shelf(models), Settings(workers=1, images=4), catalog, policy=read_policy(folder / "policy.yaml"))


def colours() -> Spec:
    """Return a model whose images and words lie in one space."""
    return COLOURS
