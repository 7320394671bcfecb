"""One searcher for many queries: vectors are made where they are missing, lists are made, merged and explained."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.errors import ImageError, InputError
from lucida.models.registry import find
from lucida.runs.vectors import compute, prepare
from lucida.search.filters import meeting
from lucida.search.fusion import combine, reciprocal_rank_fusion
from lucida.search.legs import Direction, Leg, Words, direction
from lucida.search.result import Found, Hit, SearchResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.catalog.fulltext import TextHit
    from lucida.models.spec import Matcher, Model, Output, Precision, Spec
    from lucida.search.query import Example, Query

# How far down each list is read before lists are merged.
DEPTH: Final = 1000
KEPT: Final = 64  # matchers of earlier queries


class Searcher:
    """Searches a catalog; what it has learned of one query helps the next.

    Args:
        catalog: An open catalog.
        model: Name of the model, or its spec.
        precision: As of `lucida.runs.compute`.
    """

    def __init__(self, catalog: Catalog, model: Spec | str = "embedded", *, precision: Precision = "auto") -> None:
        self.catalog = catalog
        self.spec = find(model, catalog.models) if isinstance(model, str) else model
        self._precision: Precision = precision
        self._matchers: OrderedDict[str, Matcher] = OrderedDict()
        self._unreadable: dict[str, str] = {}
        self._model: Model | None = None

    def search(self, query: Query, top: int = 20) -> SearchResult:
        """Return the images that answer a query, the best first.

        Args:
            query: What is looked for.
            top: At most so many.

        Raises:
            InputError: The catalog is empty, the query says nothing, or nothing can be read of it.
            UnknownName: A condition names a question or label that nobody knows.
            ImageError: An image of the query cannot be decoded.
            ModelError: The model cannot do what is asked.
        """
        began = time.perf_counter()
        if top < 1:
            raise InputError("There must be results to show.", expected="--top 1 or more", got=str(top))
        total = self.catalog.images.count()
        if not total:
            raise InputError(
                "The catalog holds no images.", expected="images to search", got="an empty catalog",
                hint="lucida add photos/",
            )  # fmt: skip
        among = meeting(self.catalog, query.where, state=query.state, glob=query.glob)
        searched = total if among is None else len(among)
        hits, notes = self._hits(query, among, max(top, DEPTH)) if searched else ([], [])
        return SearchResult(
            query=query,
            model="" if query.by == "text" else self.spec.name,
            hits=tuple(hits[:top]),
            images=searched,
            ranked=tuple(hit.image for hit in hits),
            seconds=time.perf_counter() - began,
            notes=tuple(notes),
        )

    # ---- the lists -------------------------------------------------------------------------------------

    def _hits(self, query: Query, among: Sequence[str] | None, depth: int) -> tuple[list[Hit], list[str]]:
        vectors: dict[str, Found] = {}
        notes: list[str] = []
        if query.by != "text":
            vectors, notes = self._by_vectors(query, among, depth)
        words: dict[str, Found] = {}
        if query.text and query.by != "vectors":
            words = {hit.image: _said(rank, hit) for rank, hit in enumerate(self._by_text(query, among, depth), 1)}
        lists = [one for one in (vectors, words) if one]
        if len(lists) > 1:
            fused = reciprocal_rank_fusion([[(id, found.score) for id, found in one.items()] for one in lists])
        else:
            fused = [(id, found.score) for one in lists for id, found in one.items()]
        return self._named(_first(fused, query, vectors), lists)[:depth], notes

    def _by_text(self, query: Query, among: Sequence[str] | None, depth: int) -> list[TextHit]:
        unlike = {one.id for one in query.unlike}
        return [hit for hit in self.catalog.text.search(query.text, depth, among=among) if hit.image not in unlike]

    def _by_vectors(self, query: Query, among: Sequence[str] | None, depth: int) -> tuple[dict[str, Found], list[str]]:
        legs, notes = self._legs(query, among)
        tops = {leg.name: leg.top(depth, among) for leg in legs}
        if len(legs) == 1:
            ranked, own = tops[legs[0].name], dict[str, str]()
        else:
            ranked, own = _together(legs, tops)
        unlike = {one.id for one in query.unlike}
        name = " and ".join(tops)
        kept = [(id, score) for id, score in ranked if id not in unlike]
        found = {id: Found(name, rank, score, own.get(id, "")) for rank, (id, score) in enumerate(kept, 1)}
        if self._unreadable:
            notes.append(f"{len(self._unreadable):,} images cannot be read any more, so they are not compared.")
        return found, notes

    def _legs(self, query: Query, among: Sequence[str] | None) -> tuple[list[Leg], list[str]]:
        legs: list[Leg] = []
        notes: list[str] = []
        if query.examples:
            legs.append(self._image_leg(query, among))
        if query.text:
            leg, notes = self._words_leg(query.text, among)
            legs.append(leg)
        return legs, notes

    def _image_leg(self, query: Query, among: Sequence[str] | None) -> Direction:
        if "encode" not in self.spec.tasks and not self.spec.gives.dimensions:
            raise self.spec.cannot("encode", "compare images")
        key = self._see("embedding", among)
        like = self._vectors(key, (*query.images, *query.like))
        parts = self.spec.gives.compared
        return Direction(self.catalog, "image", key, direction(like, self._vectors(key, query.unlike), parts), parts)

    def _words_leg(self, text: str, among: Sequence[str] | None) -> tuple[Leg, list[str]]:
        if self.spec.match is None:
            error = self.spec.cannot("words", "match images with words")
            error.hint += "; or --by text, for captions, labels and file names only"
            raise type(error)(error.what, expected=error.expected, got=error.got, hint=error.hint)
        matcher = self._matcher(text)
        key = self._see(self.spec.gives.words, among)
        if matcher.directions is not None:
            return Direction(self.catalog, "words", key, matcher.directions[0]), list(matcher.notes)
        return Words(self.catalog, "words", key, matcher), list(matcher.notes)

    def _matcher(self, text: str) -> Matcher:
        if text not in self._matchers:
            try:
                # A matcher that divides probability needs something else to give it to.
                self._matchers[text] = self.spec.matcher([[text]], none=self.spec.gives.words == "logits")
            except InputError as error:
                raise InputError(
                    "The query is longer than the model reads.",
                    expected=error.expected, got=error.got,
                    hint="shorten it, or --by text, which searches captions, labels and file names",
                ) from error  # fmt: skip
            if len(self._matchers) > KEPT:
                self._matchers.popitem(last=False)
        self._matchers.move_to_end(text)
        return self._matchers[text]

    # ---- vectors ---------------------------------------------------------------------------------------

    def _see(self, output: Output, among: Sequence[str] | None) -> str:
        """Make sure that images have vectors, and that a large collection is indexed; return their key."""
        from lucida.runs.vectors import vector_key

        key = vector_key(self.spec, output, self._precision)
        missing = [id for id in self.catalog.vectors.missing(key, among) if id not in self._unreadable]
        if missing:
            done = compute(self.catalog, self.spec, missing, output=output, precision=self._precision)
            self._unreadable |= done.skipped
        self.catalog.vectors.ready(key, parts=self.spec.gives.compared if output == "embedding" else ())
        return key

    def _vectors(self, key: str, examples: Sequence[Example]) -> NDArray[np.float32]:
        """Return the vectors of images that are asked with; those of the catalog are there already, as a rule."""
        if not examples:
            return np.zeros((0, self.spec.gives.dimensions), np.float32)
        absent = set(self.catalog.vectors.missing(key, [one.id for one in examples if one.known]))
        return np.concatenate([self._vector(key, one, seen=one.known and one.id not in absent) for one in examples])

    def _vector(self, key: str, example: Example, *, seen: bool) -> NDArray[np.float32]:
        if seen:
            return self.catalog.vectors.get(key, [example.id])
        data = example.data if example.data is not None else self.catalog.images.read(example.id)
        try:
            prepared = prepare(self.spec, data, whole=self._precision == "fp32")
        except ImageError as error:
            raise ImageError(
                f"{example.name}: {error.what}", expected=error.expected, got=error.got, hint=error.hint
            ) from error
        if self._model is None:
            self._model = self.spec.load(self._precision)
        return self._model.embed(prepared[None])

    # ---- the answer ------------------------------------------------------------------------------------

    def _named(self, fused: Sequence[tuple[str, float]], lists: Sequence[dict[str, Found]]) -> list[Hit]:
        names = self.catalog.images.names([id for id, _ in fused])
        return [
            Hit(id, names[id], round(score, 6), tuple(found[id] for found in lists if id in found))
            for id, score in fused
        ]


def _together(
    legs: Sequence[Leg], tops: dict[str, list[tuple[str, float]]]
) -> tuple[list[tuple[str, float]], dict[str, str]]:
    """Score the best of every leg by all legs, add up, and say what each leg gave."""
    ids = list(dict.fromkeys(id for top in tops.values() for id, _ in top))
    if not ids:
        return [], {}
    scores = {}
    for leg in legs:
        known = dict(leg.top(len(ids), ids))
        lowest = min(known.values(), default=0.0)
        scores[leg.name] = np.array([known.get(id, lowest) for id in ids], np.float32)
    total = combine(scores, {leg.name: leg.weight for leg in legs})
    order = np.argsort(-total, kind="stable").tolist()
    own = {ids[i]: ", ".join(f"{name} {values[i]:.2f}" for name, values in scores.items()) for i in order}
    return [(ids[i], float(total[i])) for i in order], own


def _first(fused: list[tuple[str, float]], query: Query, vectors: dict[str, Found]) -> list[tuple[str, float]]:
    """Put the images that were asked with first, in the order given."""
    scores = dict(fused)
    asked = [one.id for one in (*query.images, *query.like) if one.id in scores and one.id in vectors]
    asked = list(dict.fromkeys(asked))
    return [(id, scores[id]) for id in asked] + [pair for pair in fused if pair[0] not in asked]


def _said(rank: int, hit: TextHit) -> Found:
    return Found("text", rank, hit.score, f"{hit.source or 'file name'}: {hit.excerpt}")
