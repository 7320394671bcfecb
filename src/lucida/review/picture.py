"""Images as every browser can show them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lucida.catalog import Catalog

# What every browser shows as it is; the rest is re-encoded.
BROWSER_FORMATS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
}


def browser_image(catalog: Catalog, image: str) -> tuple[bytes, str]:
    """Return the bytes of an image and their media type, as every browser can show them.

    Raises:
        InputError: No image has this id.
        ImageError: It cannot be read any more.
    """
    record = catalog.images.get(image)
    data = catalog.images.read(image)
    media = BROWSER_FORMATS.get(record.format.upper())
    if media is not None and record.mode != "CMYK":
        return data, media
    from PIL import Image as Pillow

    from lucida.images import decode

    out = io.BytesIO()
    Pillow.fromarray(decode(data).rgb8()).save(out, "PNG", compress_level=1)
    return out.getvalue(), "image/png"
