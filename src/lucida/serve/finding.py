"""Searches of the catalog, and screening by the policy that was named at the start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import InputError, ModelError
from lucida.images import probe
from lucida.screen.screener import Screener
from lucida.search.query import Example, Query
from lucida.search.searcher import Searcher
from lucida.serve.guard import Guard
from lucida.serve.keys import ASKING
from lucida.serve.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lucida.catalog import Catalog
    from lucida.screen.policy import Policy
    from lucida.serve.desk import Desk
    from lucida.serve.intake import Sent
    from lucida.serve.made_bodies import SearchRequest
    from lucida.serve.served import Served

SEARCHERS: Final = 4  # that are kept: each has read the words of earlier queries


class Finder:
    """Searches and screens; each of the two for one thread.

    Args:
        desk: What is served.
        policy: By which images are screened; None for none.

    Attributes:
        guard: Screens around pictures that are drawn.
    """

    def __init__(self, desk: Desk, policy: Policy | None = None) -> None:
        self._desk, self.policy = desk, policy
        self._searchers: dict[str, Searcher] = {}
        self._screener: Screener | None = None
        self.guard = Guard(policy)

    def load(self) -> None:
        """Make ready what can fail, before the server says that it is.

        Raises:
            LucidaError: A rule's model is not there, or cannot do what the rule asks.
        """
        if self.policy is not None and self.policy.rules:
            home = self._desk.catalog.models if self._desk.catalog else None
            self._screener = Screener(self.policy, home)
            self.guard = Guard(self.policy, self._screener.see)

    def forget(self, served: Served) -> None:
        """Let go what was made ready of a model that is not served any more."""
        self._searchers = {name: one for name, one in self._searchers.items() if name != served.name}

    def searching(self, name: str | None) -> Served:
        """Return the model that searches.

        Raises:
            Refused: 404, there is none, or no catalog.
        """
        if self._desk.catalog is None:
            raise nothing("search", "catalog", "--catalog FOLDER")
        models = self._desk.shelf.models
        can = {one.name: one for one in models.values() if "encode" in one.spec.tasks}
        if name is None and can:
            name = next(iter(can))
        if name not in can:
            error = InputError(
                f"Images are not compared by {name or 'any of the served models'}.",
                expected=f"one of {', '.join(can)}" if can else "a model with the task 'encode'",
                got=name or ", ".join(models),
                hint="leave model out" if can else "serve embedded as well",
            )
            raise Refused(404, error)
        ASKING.get().check("search", name)
        return can[name]

    def search(self, served: Served, asked: SearchRequest, images: Mapping[str, Sequence[Sent]]) -> dict[str, Any]:
        """Return what is found, the best first.

        Args:
            served: The model.
            asked: What is looked for.
            images: Of the query, by field: "image", "like", "unlike".

        Raises:
            LucidaError: It cannot be looked for.
        """
        catalog = self._desk.catalog
        assert catalog is not None, "checked before"
        image, like, unlike = (
            tuple(self._example(catalog, sent) for sent in images[name]) for name in ("image", "like", "unlike")
        )
        query = Query(
            asked.text.strip(), image, like, unlike, tuple(asked.where), asked.state or "", asked.glob, asked.by
        )
        result = self._searcher(catalog, served).search(query, asked.top)
        # Folders of this machine are none of a client's business; `/v1` takes the id of an image everywhere.
        hits = [{**hit.to_json(), "path": Path(hit.path).name} for hit in result.hits]
        return {
            "results": [{("name" if key == "path" else key): value for key, value in hit.items()} for hit in hits],
            "images": result.images,
            "notes": list(result.notes),
        }

    def _searcher(self, catalog: Catalog, served: Served) -> Searcher:
        if served.name not in self._searchers:
            while len(self._searchers) >= SEARCHERS:
                del self._searchers[next(iter(self._searchers))]
            # As the registry has it: the vectors are those of `lucida search`.
            self._searchers[served.name] = Searcher(catalog, served.found)
        return self._searchers[served.name]

    def _example(self, catalog: Catalog, sent: Sent) -> Example:
        data = sent.data if sent.data is not None else self._desk.read(sent.id)
        probe(data, self._desk.limits)
        return Example(sent.id[:12], sent.id, data, _known(catalog, sent.id))

    def screen(self, sent: Sent) -> dict[str, Any]:
        """Return what the policy says of an image.

        Raises:
            LucidaError: The image is none, or a model fails.
        """
        assert self._screener is not None, "checked before"
        assert self.policy is not None, "checked before"
        data = sent.data if sent.data is not None else self._desk.read(sent.id)
        header = probe(data, self._desk.limits)
        seen = self.guard.look(data)
        if seen.result is None:
            raise ModelError(
                "The policy gave no verdict.", expected="a verdict", got=seen.problem, hint="send the image anew"
            )
        return {
            "policy": self.policy.name,
            "revision": self._screener.revision,
            "image": sent.id,
            "width": header.width,
            "height": header.height,
            **seen.result.to_json(),
        }


def nothing(task: str, what: str, how: str) -> Refused:
    """Return the refusal of a task that the server was not started for."""
    return Refused(
        404,
        InputError(
            f"Nothing is there to {task}: no {what} is served.",
            expected=f"a server with a {what}",
            got=f"one without a {what}",
            hint=f"lucida serve MODEL {how}",
        ),
    )


def _known(catalog: Catalog, id: str) -> bool:
    try:
        return bool(catalog.images.places(id))
    except InputError:
        return False
