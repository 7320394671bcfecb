"""A labeller proposes a label for each image of a selection: from vectors, by being asked, or from other labellers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.catalog import Catalog
    from lucida.results import Classification


@dataclass(frozen=True)
class Proposal:
    """What a labeller says of one image.

    Attributes:
        image: Content id.
        found: The label; None where there is none.
        detail: What is kept beside it, as plain JSON values: {"reason": a sentence, "by": the model that decided,
            "agree": [k, n], "cost": US dollars}.
        problem: Why there is no label; "" where there is one.
    """

    image: str
    found: Classification | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


class Labeller(Protocol):
    """Proposes labels.

    Attributes:
        model: Name of the model, or names joined by "+".
        revision: Its revision.
        classes: Names of the classes.
        accuracy: Expected share of right labels with its 95 % interval, known after `learn`; None where unknown.
        notes: Sentences for people, some of them known only when all is done.
        engine: What ran the model, and at which precision; "" where nothing had to be run.
        cost: US dollars that this call has spent; None where nothing is paid or the price is not known.
    """

    model: str
    revision: str
    classes: list[str]

    @property
    def engine(self) -> str: ...

    @property
    def cost(self) -> float | None: ...

    @property
    def accuracy(self) -> tuple[float, float, float] | None: ...

    @property
    def notes(self) -> list[str]: ...

    def parameters(self) -> dict[str, Any]:
        """Return all that decides the outcome, as plain JSON values."""
        ...

    def check(self, catalog: Catalog, todo: Sequence[str], folder: Path | None) -> None:
        """Make sure that it works before a run starts: a run that has started voids earlier certificates.

        Args:
            catalog: The open catalog.
            todo: Images that the run has not labelled yet.
            folder: Folder of the run that goes on; None where it will be a new one.

        Raises:
            ModelError: The model cannot run or be reached.
            ImageError: No image can be read any more.
        """
        ...

    def learn(self, catalog: Catalog, folder: Path) -> None:
        """Get ready to propose.

        Args:
            catalog: The open catalog.
            folder: Folder of the run: what was learned or paid for is kept there, so that a run that goes on later
                labels as it did before.
        """
        ...

    def taught(self, catalog: Catalog) -> dict[str, str]:
        """Return labels that need no model: content id of an added image to its class."""
        ...

    def propose(self, catalog: Catalog, ids: Sequence[str]) -> Iterator[list[Proposal]]:
        """Propose labels of images, some at a time, in any order; each batch is written before the next is asked for.

        An image without a label comes back with its problem and is tried again the next time. Images that are not
        proposed at all were left out on purpose (a limit of cost); the notes say so.
        """
        ...
