"""Images that clients sent, kept for a person to look at: only where the settings allow it, within a bound."""

from __future__ import annotations

import io
import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from lucida.errors import InputError
from lucida.images import decode
from lucida.whole import write_whole

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.images import Limits

FOLDER: Final = "watched"
SHOWN: Final = 1024  # pixels of an image that is shown, about
_ID: Final = re.compile(r"[0-9a-f]{64}")


class Kept:
    """A folder in the catalog.

    Args:
        catalog: That is served; None for none.
        allowed: Whether what was sent may be kept.
        most: Bytes, at most; the oldest go first.
    """

    def __init__(self, catalog: Catalog | None, allowed: bool, most: int) -> None:
        self._catalog, self._most = catalog, most
        self.allowed = allowed and catalog is not None
        self._folder = catalog.path / FOLDER if catalog is not None else None
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self.bytes = 0
        if self._folder is not None and self._folder.is_dir():
            files = [(path.stat(), path.name) for path in self._folder.iterdir() if _ID.fullmatch(path.name)]
            for status, name in sorted(files, key=lambda one: one[0].st_mtime_ns):
                self._sizes[name] = status.st_size
                self.bytes += status.st_size

    def put(self, id: str, data: bytes) -> bool:
        """Keep an image, and let go of the oldest where there is no room; return whether it is kept."""
        if not self.allowed or self._folder is None or len(data) > self._most:
            return False
        if id in self._sizes:
            return True
        self._folder.mkdir(exist_ok=True)
        write_whole(self._folder / id, data)
        self._sizes[id] = len(data)
        self.bytes += len(data)
        while self.bytes > self._most:
            old, size = self._sizes.popitem(last=False)
            (self._folder / old).unlink(missing_ok=True)
            self.bytes -= size
        return True

    def has(self, id: str) -> bool:
        """Tell whether a person can be shown an image."""
        return self.read(id) is not None

    def holds(self, id: str) -> bool:
        """Tell whether an image was kept."""
        return id in self._sizes

    def read(self, id: str) -> bytes | None:
        """Return the bytes of an image that is kept, or that the catalog has; None where it is gone."""
        if self._folder is None or self._catalog is None or not _ID.fullmatch(id):
            return None
        try:
            return (self._folder / id).read_bytes()
        except OSError:
            pass
        try:
            return self._catalog.images.read(id)
        except Exception:
            return None

    def shown(self, id: str, limits: Limits) -> bytes:
        """Return an image as a JPEG that any browser can show: nothing of what was sent reaches a page as it came.

        Raises:
            InputError: It is not kept.
        """
        from PIL import Image as Pillow

        data = self.read(id)
        if data is None:
            raise InputError(
                "This image is not kept.",
                expected="an image of the catalog, or one that was kept",
                got=id[:12] + "…",
                hint="watch: {keep_images: yes} in serve.yaml keeps those that are watched",
            )
        out = io.BytesIO()
        shown = Pillow.fromarray(decode(data, cover=SHOWN, limits=limits).rgb8())
        shown.thumbnail((SHOWN, SHOWN))
        shown.save(out, "JPEG", quality=88)
        return out.getvalue()
