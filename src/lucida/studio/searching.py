"""What the Search page asks for: results, pictures, and answers about where relevance ends."""

from __future__ import annotations

import io
import secrets
import threading
from collections import OrderedDict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from lucida.errors import ImageError, InputError, UnknownName

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.search.judging import Judging
    from lucida.search.query import Example
    from lucida.search.result import Hit, SearchResult

KEPT: Final = 16  # searches, and images that came from elsewhere
MOST: Final = 600  # results that one search shows
LABELS: Final = 50  # of each question that are offered as conditions


class Asked(TypedDict, total=False):
    """What the page asks for; images are content ids, or what `upload` returned."""

    text: str
    images: list[str]
    like: list[str]
    unlike: list[str]
    where: list[str]
    state: str
    glob: str
    by: Literal["all", "vectors", "text"]
    top: int


class Searching:
    """Searches of one catalog for any number of browsers; one is answered at a time.

    Args:
        catalog: An open catalog.
        model: Name of the model, or its spec.
    """

    def __init__(self, catalog: Catalog, model: Any = "embedded") -> None:
        from lucida.search.searcher import Searcher

        self.catalog = catalog
        self._searcher = Searcher(catalog, model)
        self._results: OrderedDict[str, SearchResult] = OrderedDict()
        self._judgings: OrderedDict[tuple[str, float], Judging] = OrderedDict()
        self._uploads: OrderedDict[str, Example] = OrderedDict()
        self._lock = threading.Lock()

    def look(self) -> dict[str, Any]:
        """Return what the page shows before anything is looked for: how many images, and what can be a condition."""
        questions = {}
        for question in self.catalog.annotations.questions():
            if question.startswith("search: "):
                continue
            labels = sorted({one.label for one in self.catalog.annotations.current(question) if one.label})
            if len(labels) <= LABELS:
                questions[question] = labels
        images = self.catalog.images.count()
        return {"images": images, "model": self._searcher.spec.name, "questions": questions}

    def find(self, asked: Asked) -> dict[str, Any]:
        """Return the results of a search.

        Raises:
            LucidaError: It cannot be answered.
        """
        from lucida.search.query import Query

        with self._lock:
            query = Query(
                asked.get("text", "").strip(),
                self._examples(asked.get("images", [])),
                self._examples(asked.get("like", [])),
                self._examples(asked.get("unlike", [])),
                where=tuple(asked.get("where", ())),
                state=asked.get("state", ""),
                glob=asked.get("glob", ""),
                by=asked.get("by", "all"),
            )
            result = self._searcher.search(query, min(asked.get("top", 60), MOST))
            token = secrets.token_urlsafe(12)
            _keep(self._results, token, result)
        return {
            "search": token,
            "results": [_card(hit) for hit in result.hits],
            "ranked": len(result.ranked),
            "images": result.images,
            "seconds": round(result.seconds, 3),
            "notes": list(result.notes),
        }

    def judge(
        self, search: str, share: float = 0.9, image: str | None = None, relevant: bool | None = None
    ) -> dict[str, Any]:
        """Take an answer about a result, if one is given, and return what is proven and what to ask next.

        Raises:
            UnknownName: The search is not known any more.
            InputError: The image is none of its results.
        """
        with self._lock:
            judging = self._judging(search, share)
            if image is not None and relevant is not None:
                judging.answer(image, relevant)
            claim, following = judging.claim(), judging.next()
            answers = judging.answers
            name = self.catalog.images.names([following])[following] if following else ""
        return {
            "claim": claim.to_json(),
            "next": None if following is None else {"image": following, "name": PurePosixPath(name).name},
            "answers": answers,
            "share": share,
        }

    def order(self, search: str) -> list[str]:
        """Return the images that a search found, the best first.

        Raises:
            UnknownName: The search is not known any more.
        """
        with self._lock:
            if search not in self._results:
                raise UnknownName("search", search, [], hint="search again")
            return [hit.image for hit in self._results[search].hits]

    def picture(self, image: str, side: int) -> tuple[bytes, str]:
        """Return a picture of an image, no side longer than `side`, and its media type.

        Raises:
            LucidaError: There is no such image, or it cannot be read any more.
        """
        from PIL import Image as Pillow

        from lucida.images import decode

        upload = self._uploads.get(image)
        data = upload.data if upload is not None and upload.data else self.catalog.images.read(image)
        picture = Pillow.fromarray(decode(data, cover=side).rgb8())
        picture.thumbnail((side, side))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=88)
        return out.getvalue(), "image/jpeg"

    def upload(self, name: str, data: bytes) -> dict[str, str]:
        """Keep an image to search with for a while; return what it is called.

        Raises:
            ImageError: It cannot be decoded.
        """
        from lucida.images import content_id, decode
        from lucida.search.query import Example

        decode(data, cover=8)
        image = content_id(data)
        with self._lock:
            _keep(self._uploads, image, Example(PurePosixPath(name).name or "image", image, data, self._known(image)))
        return {"image": image, "name": PurePosixPath(name).name}

    def _known(self, image: str) -> bool:
        try:
            return bool(self.catalog.images.places(image))
        except InputError:
            return False

    def _examples(self, images: list[str]) -> tuple[Example, ...]:
        from lucida.search.query import Example

        found = []
        for image in images:
            if image in self._uploads:
                found.append(self._uploads[image])
            elif self._known(image):
                found.append(Example(self.catalog.images.names([image])[image], image, None, True))
            else:
                raise ImageError("An image to search with is not at hand any more.", hint="choose it again")
        return tuple(found)

    def _judging(self, search: str, share: float) -> Judging:
        from lucida.search.judging import Judging

        if search not in self._results:
            raise UnknownName("search", search, [], hint="search again")
        if (search, share) not in self._judgings:
            _keep(self._judgings, (search, share), Judging(self.catalog, self._results[search], share=share))
        return self._judgings[search, share]


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > KEPT:
        kept.popitem(last=False)


def _card(hit: Hit) -> dict[str, Any]:
    return {
        "image": hit.image,
        "name": PurePosixPath(hit.path).name,
        "path": hit.path,
        "score": hit.score,
        "found": [one.to_json() for one in hit.found],
    }
