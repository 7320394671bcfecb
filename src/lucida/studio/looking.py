"""What the Look page shows: lists of images, one image at a time, and what was said of it."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import InputError, UnknownName
from lucida.studio.asking import Asking
from lucida.studio.saying import said_of
from lucida.studio.screened import VERDICTS, queues, verdicts

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.studio.searching import Searching

KEPT: Final = 8  # lists that are walked through


class _Walk:
    """Images in an order."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = list(ids)
        self.places = {image: at for at, image in enumerate(self.ids)}


class Looking:
    """Looks at the images of one catalog, for any number of browsers.

    Args:
        catalog: An open catalog.
        searching: Whose conditions and results can be walked through.
        asking: What questions go to.
    """

    def __init__(self, catalog: Catalog, searching: Searching, asking: Asking | None = None) -> None:
        self.catalog, self.searching = catalog, searching
        self.asking = asking or Asking(catalog)
        self._walks: OrderedDict[str, _Walk] = OrderedDict()
        self._lock = threading.Lock()

    def lists(self) -> dict[str, Any]:
        """Return what can be walked through: the labels of each question, and the screening queues."""
        return {"questions": self.searching.look()["questions"], "screens": queues(self.catalog)}

    def open(
        self,
        *,
        where: Sequence[str] = (),
        screen: str = "",
        verdict: str = "",
        search: str = "",
        image: str = "",
    ) -> dict[str, Any]:
        """Open a list of images.

        Args:
            where: Conditions; see `lucida.search.filters`.
            screen: A screening question: only images with one verdict.
            verdict: Which; "" for the first that some image has, those that a person has to decide first.
            search: A search of the Search page: its results, in their order.
            image: Where to begin; "" for the first.

        Returns:
            Name of the list, how many images, the place to begin at, and the verdict.

        Raises:
            LucidaError: There are no such images.
        """
        ids, verdict = self._ids(where, screen, verdict, search)
        name, walk = self._walk(ids)
        if image and image not in walk.places:
            self.catalog.images.get(image)
            # An image that the list does not have is still looked at: in the order of all.
            (name, walk), verdict = self._walk(self.catalog.images.ids()), ""
        return {"list": name, "count": len(walk.ids), "at": walk.places.get(image, 0), "verdict": verdict}

    def _walk(self, ids: Sequence[str]) -> tuple[str, _Walk]:
        with self._lock:
            # A million images are held once, however often they are opened.
            same = next((name for name, walk in self._walks.items() if walk.ids == ids), None)
            name = same or secrets.token_urlsafe(12)
            walk = self._walks[name] = self._walks[name] if same else _Walk(ids)
            self._walks.move_to_end(name)
            while len(self._walks) > KEPT:
                self._walks.popitem(last=False)
            return name, walk

    def _ids(self, where: Sequence[str], screen: str, verdict: str, search: str) -> tuple[Sequence[str], str]:
        from lucida.search.filters import meeting

        if search:
            return self.searching.order(search), ""
        found = meeting(self.catalog, where)
        ids = self.catalog.images.ids() if found is None else found
        if not screen:
            return ids, ""
        said = verdicts(self.catalog, screen)
        if verdict and verdict not in VERDICTS:
            raise UnknownName("verdict", verdict, VERDICTS)
        verdict = verdict or next((one for one in VERDICTS if said[one]), VERDICTS[0])
        kept = set(ids)
        return [image for image in said[verdict] if image in kept], verdict

    def view(self, name: str, at: int) -> dict[str, Any]:
        """Return one image of a list, and all that was said of it.

        Raises:
            UnknownName: The list is not known any more.
            InputError: It has no such place.
        """
        with self._lock:
            walk = self._walks.get(name)
            if walk is None:
                raise UnknownName("list", name, [], hint="open the page again")
            self._walks.move_to_end(name)
        if not 0 <= at < len(walk.ids):
            raise InputError("The list has no such place.", expected=f"0 to {len(walk.ids) - 1}", got=str(at))
        image = walk.ids[at]
        record, path = self.catalog.images.get(image), self.catalog.images.name(image)
        return {
            "at": at,
            "count": len(walk.ids),
            "image": image,
            "next": [walk.ids[i] for i in (at + 1, at - 1) if 0 <= i < len(walk.ids)],
            "path": path,
            "name": PurePosixPath(path).name,
            "width": record.width,
            "height": record.height,
            "said": said_of(self.catalog, image),
        }
