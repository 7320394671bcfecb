"""Pictures that were drawn, and what was asked for them."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import UnknownName
from lucida.generate import records
from lucida.studio.generate_asked import loras_of, recalled
from lucida.studio.showing import thumbnail

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.studio.given import GivenImages
    from lucida.studio.tray import Tray

THUMBS: Final = 6  # pictures shown of an earlier request


class DrawnBefore:
    """Tells of the pictures of a catalog.

    Args:
        catalog: An open catalog.
        tray: Takes images of earlier requests.
        given: Finds them.
    """

    def __init__(self, catalog: Catalog, tray: Tray, given: GivenImages) -> None:
        self._catalog, self._tray, self._given = catalog, tray, given

    def story(self, image: str, seed: int | None = None) -> dict[str, Any]:
        """Return how a picture was drawn: model, seed and request.

        Raises:
            UnknownName: It was not drawn here.
        """
        rows = self._catalog.annotations.rows(image=image, question=records.QUESTION)
        # The same picture may have been drawn by two seeds.
        drawn = [row for row in rows if "request" in row.detail and seed in (None, row.detail.get("seed"))]
        if not drawn:
            raise UnknownName("picture", image, [], hint="it was not drawn for this catalog")
        row = drawn[-1]
        whole = row.detail["request"]
        request = {name: value for name, value in whole.items() if not isinstance(value, dict | list) or name == "size"}
        images = [name for name, value in whole.items() if isinstance(value, dict)]
        found = {"model": row.detail["model"], "seed": str(row.detail["seed"]), "run": row.run}
        told = {"images": images, "loras": loras_of(whole, self._catalog), "detail": row.detail.get("detail", {})}
        return found | {"request": request} | told

    def picture(self, image: str, side: int) -> tuple[bytes, str]:
        """Return a picture of the catalog, no side longer than `side`, and its media type.

        Raises:
            LucidaError: There is no such picture, or it cannot be read any more.
        """
        return thumbnail(self._catalog.images.read(image), side)

    def file(self, image: str) -> tuple[bytes, str]:
        """Return the file of a picture, and the name under which it is saved.

        Raises:
            LucidaError: There is no such picture, or it was not drawn here.
        """
        from lucida.generate.writing import stem

        told = self.story(image)
        return self._catalog.images.read(image), f"{stem(str(told['request'].get('prompt', '')))}-{told['seed']}.png"

    def rate(self, image: str, stars: int) -> dict[str, int]:
        """Keep what a person thinks of a picture, 0 to take it back; returns what counts now.

        Raises:
            InputError: Not so many stars, or no such picture.
        """
        records.rate(self._catalog, image, stars, _user())
        # Where others rated it as well, the majority counts.
        return {"stars": records.ratings(self._catalog, [image]).get(image, 0)}

    def history(self, limit: int) -> list[dict[str, Any]]:
        """Return what was asked, that of the latest picture first, with a few pictures of each."""
        return [
            {
                "run": past.run,
                "model": past.model,
                "prompt": past.request.get("prompt", ""),
                "loras": [one["title"] for one in loras_of(past.request, self._catalog)],
                "n": past.count,
                "images": [image for image, _ in past.images],
                "time": past.time,
            }
            for past in records.history(self._catalog, limit, shown=THUMBS)
        ]

    def recall(self, run: str) -> dict[str, Any]:
        """Return an earlier request as the form shows it, with all its pictures.

        Raises:
            UnknownName: There is no such run.
        """
        found = self._catalog.runs.get(run)
        if found.verb != records.VERB:
            raise UnknownName("run", run, [])
        rows = [row for row in self._catalog.annotations.rows(run=run) if "seed" in row.detail]
        request = rows[0].detail["request"] if rows else found.parameters
        stars = records.ratings(self._catalog, [row.image for row in rows])
        pictures = []
        for row in sorted(rows, key=lambda row: int(row.detail["seed"])):
            image = self._catalog.images.get(row.image)
            picture = {"id": row.image, "seed": str(row.detail["seed"]), "width": image.width, "height": image.height}
            pictures.append(picture | {"stars": stars.get(row.image, 0)})
        form = recalled(request, self._tray, self._given, self._catalog)
        return {"run": run, "model": found.model, "pictures": pictures, **form}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "someone"
