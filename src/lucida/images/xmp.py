"""Title, alternative text and keywords written into an image file, its pixels untouched byte for byte.

They go into the file's XMP packet, in the fields of IPTC Core that archives, search engines and screen readers know;
what else the packet holds stays.

Source: XMP specification, parts 1 and 3 (ISO 16684-1; Adobe 2020); IPTC Photo Metadata Standard 2023.1.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias
from xml.etree import ElementTree

from lucida.errors import ImageError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
IPTC = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
META = "adobe:ns:meta/"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_PREFIXES: Final = {"rdf": RDF, "dc": DC, "Iptc4xmpCore": IPTC, "x": META}
_JPEG = b"http://ns.adobe.com/xap/1.0/\x00"
_PNG = b"XML:com.adobe.xmp"
_TIFF = 700  # the tag
_OWN = (f"{{{DC}}}title", f"{{{DC}}}description", f"{{{DC}}}subject", f"{{{IPTC}}}AltTextAccessibility")


def described(data: bytes, *, title: str, alternative: str, keywords: Sequence[str]) -> bytes:
    """Return an image file with a description in its XMP packet.

    Args:
        data: A JPEG, PNG, WebP or TIFF file.
        title: A few words.
        alternative: What somebody who cannot see the image should be told; it is also the description (caption).
        keywords: What it can be found by.

    Raises:
        ImageError: The file is of another kind or damaged, or holds a packet that cannot be read.
    """
    read, write = _kind(data)
    try:
        return write(data, _packet(read(data), title, alternative, keywords))
    except (struct.error, IndexError, ValueError) as error:
        raise ImageError("The file is damaged where its description would go.", got=str(error)) from error


def packet_of(data: bytes) -> bytes:
    """Return the XMP packet of an image file; empty where there is none.

    Raises:
        ImageError: The file is of another kind or damaged.
    """
    try:
        return _kind(data)[0](data)
    except (struct.error, IndexError, ValueError) as error:
        raise ImageError("The file is damaged where its description would be.", got=str(error)) from error


Read: TypeAlias = Callable[[bytes], bytes]
Write: TypeAlias = Callable[[bytes, bytes], bytes]


def _kind(data: bytes) -> tuple[Read, Write]:
    if data[:2] == b"\xff\xd8":
        return _of_jpeg, _into_jpeg
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _of_png, _into_png
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _of_webp, _into_webp
    if data[:4] in (b"II*\x00", b"MM\x00*"):
        return _of_tiff, _into_tiff
    raise ImageError(
        "A description cannot be written into a file of this kind.",
        expected="a JPEG, PNG, WebP or TIFF file",
        got=repr(data[:4]),
        hint="-o FILE.json keeps the descriptions",
    )


def _packet(before: bytes, title: str, alternative: str, keywords: Sequence[str]) -> bytes:
    for prefix, name in _PREFIXES.items():
        ElementTree.register_namespace(prefix, name)
    root, rdf = _tree(before)
    for block in rdf.findall(f"{{{RDF}}}Description"):
        for name in _OWN:
            block.attrib.pop(name, None)
            for old in block.findall(name):
                block.remove(old)
    block = ElementTree.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})
    for name, text in zip(_OWN, (title, alternative, None, alternative), strict=True):
        if text:
            choice = ElementTree.SubElement(ElementTree.SubElement(block, name), f"{{{RDF}}}Alt")
            ElementTree.SubElement(choice, f"{{{RDF}}}li", {_LANG: "x-default"}).text = _legal(text)
    if keywords:
        bag = ElementTree.SubElement(ElementTree.SubElement(block, _OWN[2]), f"{{{RDF}}}Bag")
        for word in keywords:
            ElementTree.SubElement(bag, f"{{{RDF}}}li").text = _legal(word)
    body: bytes = ElementTree.tostring(root, encoding="utf-8")
    begin = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    return begin + body + b'\n<?xpacket end="w"?>'


def _tree(before: bytes) -> tuple[ElementTree.Element, ElementTree.Element]:
    """Return the packet that there is, or a new one, and its list of statements."""
    text = before.strip(b"\x00 \r\n\t")
    if not text:
        root = ElementTree.Element(f"{{{META}}}xmpmeta")
        return root, ElementTree.SubElement(root, f"{{{RDF}}}RDF")
    # A packet has no need of entities, which can be made to grow without end.
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise ImageError("The file holds an XMP packet with entities, which is not read.")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ImageError("The file holds an XMP packet that is no XML.", got=str(error)) from error
    rdf = root if root.tag == f"{{{RDF}}}RDF" else root.find(f"{{{RDF}}}RDF")
    if rdf is None:
        raise ImageError("The file holds an XMP packet without statements.", expected="rdf:RDF", got=root.tag)
    return root, rdf


def _legal(text: str) -> str:
    """Return a text without signs that XML cannot hold."""
    return "".join(s for s in text if s in "\t\n\r" or (s >= " " and s not in "\ufffe\uffff" and not _half(s)))


def _half(sign: str) -> bool:
    return "\ud800" <= sign <= "\udfff"


# JPEG: segments before the first scan. Source: ITU-T T.81, annex B.


def _segments(data: bytes) -> list[tuple[int, int, int]]:
    """Return marker, start and end of each segment before the pixels."""
    found, at = [], 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in (0xD8, 0xD9, 0xDA, 0x01) or 0xD0 <= marker <= 0xD7:
            break
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data) or end < at + 4:
            raise ValueError("a segment that ends behind the file")
        found.append((marker, at, end))
        at = end
    return found


def _of_jpeg(data: bytes) -> bytes:
    return next((data[s + 4 + len(_JPEG) : e] for m, s, e in _segments(data) if _marked(data, m, s)), b"")


def _marked(data: bytes, marker: int, start: int) -> bool:
    return marker == 0xE1 and data[start + 4 : start + 4 + len(_JPEG)] == _JPEG


def _into_jpeg(data: bytes, packet: bytes) -> bytes:
    body = _JPEG + packet
    if len(body) + 2 > 0xFFFF:
        raise ImageError(
            "The description is longer than a JPEG holds.", expected="65,502 bytes", got=f"{len(packet):,}"
        )
    kept, after = [data[:2]], 2
    new = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    for marker, start, end in _segments(data):
        # Behind the marks of JFIF and EXIF, which want to be first.
        if new and not (marker == 0xE0 or (marker == 0xE1 and data[start + 4 : start + 8] == b"Exif")):
            kept.append(new)
            new = b""
        if not _marked(data, marker, start):
            kept.append(data[start:end])
        after = end
    return b"".join([*kept, new, data[after:]])


# PNG: a chunk of international text. Source: W3C, Portable Network Graphics, third edition.


def _chunks(data: bytes) -> list[tuple[bytes, int, int]]:
    found, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError("a chunk that ends behind the file")
        found.append((data[at + 4 : at + 8], at, end))
        at = end
        if found[-1][0] == b"IEND":
            break
    return found


def _of_png(data: bytes) -> bytes:
    for kind, start, end in _chunks(data):
        body = data[start + 8 : end - 4]
        if kind == b"iTXt" and body.startswith(_PNG + b"\x00"):
            packed = body[len(_PNG) + 1] == 1
            # Behind two flags: a language and a translated keyword, each ended by a zero.
            rest = body[len(_PNG) + 3 :].split(b"\x00", 2)[2]
            return zlib.decompress(rest) if packed else rest
    return b""


def _into_png(data: bytes, packet: bytes) -> bytes:
    body = b"iTXt" + _PNG + b"\x00" * 5 + packet
    new = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    kept = [data[:8]]
    for kind, start, end in _chunks(data):
        if kind == b"iTXt" and data[start + 8 : end - 4].startswith(_PNG + b"\x00"):
            continue
        kept.append(data[start:end])
        if kind == b"IHDR":
            kept.append(new)
    return b"".join(kept) + data[_chunks(data)[-1][2] :]


# WebP: a chunk of the extended form. Source: RFC 9649.


def _parts(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at, end = [], 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while at + 8 <= end:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > end:
            raise ValueError("a chunk that ends behind the file")
        found.append((data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found


def _of_webp(data: bytes) -> bytes:
    return next((body for kind, body in _parts(data) if kind == b"XMP "), b"")


def _into_webp(data: bytes, packet: bytes) -> bytes:
    parts = [(kind, body) for kind, body in _parts(data) if kind != b"XMP "]
    if parts[0][0] == b"VP8X":
        head = bytearray(parts[0][1])
        parts = parts[1:]
    else:
        head = bytearray(_extended(*parts[0]))
    head[0] |= 0x04
    parts = [(b"VP8X", bytes(head)), *parts, (b"XMP ", packet)]
    body = b"".join(kind + struct.pack("<I", len(part)) + part + b"\x00" * (len(part) % 2) for kind, part in parts)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _extended(kind: bytes, body: bytes) -> bytes:
    """Return the head of the extended form for an image in a simple one."""
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        width, height, alpha = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bits >> 28 & 1
    elif kind == b"VP8 ":
        width, height = (value & 0x3FFF for value in struct.unpack_from("<HH", body, 6))
        alpha = 0
    else:
        raise ValueError(f"a chunk {kind!r} where the pixels should be")
    return bytes([0x10 * alpha, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


# TIFF: the directory of the first image is written anew, behind all else. Source: TIFF 6.0.


def _directory(data: bytes) -> tuple[str, list[bytes], bytes]:
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, at)
    start, end = at + 2, at + 2 + 12 * count
    if end + 4 > len(data):
        raise ValueError("a directory that ends behind the file")
    return order, [data[i : i + 12] for i in range(start, end, 12)], data[end : end + 4]


def _of_tiff(data: bytes) -> bytes:
    order, entries, _ = _directory(data)
    for entry in entries:
        tag, _, length, at = struct.unpack(f"{order}HHII", entry)
        if tag == _TIFF:
            return data[at : at + length] if length > 4 else entry[8 : 8 + length]
    return b""


def _into_tiff(data: bytes, packet: bytes) -> bytes:
    order, entries, following = _directory(data)
    data += b"\x00" * (len(data) % 2)
    place = len(data)
    packet += b" " * (len(packet) % 2)
    others = [entry for entry in entries if struct.unpack(f"{order}H", entry[:2])[0] != _TIFF]
    mine = struct.pack(f"{order}HHII", _TIFF, 1, len(packet), place)
    every = sorted([*others, mine], key=lambda entry: struct.unpack(f"{order}H", entry[:2])[0])
    directory = struct.pack(f"{order}H", len(every)) + b"".join(every) + following
    head = data[:4] + struct.pack(f"{order}I", place + len(packet))
    return head + data[8:] + packet + directory
