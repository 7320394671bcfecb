"""Pictures as PNG files that say what they are and how to make them again."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from lucida.errors import ImageError, InputError
from lucida.whole import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

KEY: Final = "lucida"
PACKET: Final = "XML:com.adobe.xmp"
# Source: IPTC, Digital Source Type, as search engines and the EU AI Act's code of practice read it.
SYNTHETIC: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMPOSITE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_XMP: Final = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/">'
    "<Iptc4xmpExt:DigitalSourceType>{kind}</Iptc4xmpExt:DigitalSourceType>"
    "<xmp:CreatorTool>{tool}</xmp:CreatorTool></rdf:Description></rdf:RDF></x:xmpmeta>"
    '<?xpacket end="w"?>'
)
LONGEST: Final = 48  # letters of a prompt in the name of a file


def encode(pixels: NDArray[np.uint8], story: dict[str, Any], *, tool: str, edited: bool, told: bool = True) -> bytes:
    """Return a PNG file, the same bytes for the same picture and story.

    That it is synthetic stands in its XMP packet in any case.

    Args:
        pixels: uint8 (height, width, 3).
        story: Model, seed and request, as plain JSON values.
        tool: Name and version of the program and the model.
        edited: Part of it is from a photo.
        told: Write the story into the file.
    """
    info = PngInfo()
    info.add_itxt(PACKET, _XMP.format(kind=COMPOSITE if edited else SYNTHETIC, tool=escape(tool)))
    if told:
        info.add_itxt(KEY, json.dumps(story, ensure_ascii=False, sort_keys=True))
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def story_of(data: bytes) -> dict[str, Any]:
    """Return what `encode` wrote beside the pixels.

    Raises:
        ImageError: It is no PNG.
        InputError: It holds no such thing.
    """
    from lucida.images import check

    if check(data).format != "PNG":
        raise ImageError("Only PNG files hold how they were made.", expected="a PNG of `lucida generate`")
    with Pillow.open(io.BytesIO(data)) as opened:
        opened.load()
        text = dict(getattr(opened, "text", {})).get(KEY, "")
    try:
        story = json.loads(text)
        if not isinstance(story, dict) or not {"model", "seed", "request"} <= set(story):
            raise ValueError
    except ValueError as error:
        raise InputError(
            "The file does not say how it was made.",
            expected="a PNG of `lucida generate`",
            got="no such record in it",
            hint="pictures in the catalog are known by it, too: lucida generate --again CONTENT_ID",
        ) from error
    return dict(story)


def write(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all, and its folder.

    Raises:
        InputError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written.",
            expected="room and permission in its folder",
            got=error.strerror or str(error),
            hint="free some room; the same command goes on with what is missing",
        ) from error


def stem(prompt: str) -> str:
    """Return the beginning of a prompt as the name of a file: letters and digits of any language."""
    words = re.sub(r"[\W_]+", "-", prompt.casefold()).strip("-")
    cut = words[:LONGEST]
    return (cut.rsplit("-", 1)[0] if len(words) > LONGEST and "-" in cut else cut).strip("-") or "picture"
