"""Which paths and addresses are videos, and what they are opened with."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit, urlunsplit

from lucida.errors import InputError

SUFFIXES: Final = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".3gp", ".wmv", ".flv",
    ".ogv", ".mxf", ".y4m",
)  # fmt: skip
# Kinds of files by the names of libav. A playlist is none of them: it could name any other file of this machine.
FORMATS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpeg", "mpegts", "asf", "flv", "ogg", "mxf", "yuv4mpegpipe",
)  # fmt: skip
# Of each scheme: whether it never waits, and what libav may open on its way.
SCHEMES: Final = {
    "rtsp": (True, "rtsp,rtp,udp,tcp"),
    "rtsps": (True, "rtsp,rtsps,rtp,srtp,udp,tcp,tls,crypto"),
    "rtmp": (True, "rtmp,tcp"),
    "rtmps": (True, "rtmp,rtmps,tcp,tls,crypto"),
    "rtp": (True, "rtp,udp"),
    "srt": (True, "srt,udp"),
    "udp": (True, "udp"),
    "tcp": (True, "tcp"),
    "http": (False, "http,https,tcp,tls,crypto,httpproxy"),
    "https": (False, "http,https,tcp,tls,crypto,httpproxy"),
}
# How the camera of a number is opened: kind of device of libav, its name, what must be asked for.
CAMERAS: Final[dict[str, tuple[str, str, dict[str, str]]]] = {
    "linux": ("v4l2", "/dev/video{}", {}),
    "darwin": ("avfoundation", "{}:none", {"framerate": "30"}),
}


@dataclass(frozen=True)
class Source:
    """Where frames come from.

    Attributes:
        name: What it is called in results; without the password of an address.
        address: What libav opens.
        kind: A file waits, a camera never does; a stream may do either.
        live: Whether it never waits for its reader: what is not read in time is lost.
        format: Kind of device; None where it is found out.
        options: Of libav.
    """

    name: str
    address: str = field(repr=False)
    kind: Literal["file", "stream", "camera"]
    live: bool
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)


def is_video(path: Path | str) -> bool:
    """Return whether a file is a video by its name."""
    return str(path).lower().endswith(SUFFIXES)


def source_of(given: Path | str) -> Source | None:
    """Return what a path, an address or the number of a camera stands for; None where it is no video.

    Raises:
        InputError: Cameras cannot be read on this system.
    """
    text = str(given)
    if address := _address(text):
        scheme = urlsplit(address).scheme.lower()
        live, protocols = SCHEMES[scheme]
        options = {"protocol_whitelist": protocols, "fflags": "nobuffer"} if live else {"protocol_whitelist": protocols}
        if scheme.startswith("rtsp"):
            # Over UDP, packets that are lost smear the picture.
            options["rtsp_transport"] = "tcp"
        return Source(_without_password(address), address, "stream", live, None, options)
    path = Path(text).expanduser()
    if text.isdecimal() and not path.exists():
        return _camera(int(text))
    if not is_video(path):
        return None
    options = {"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS)}
    # The scheme keeps a name with a colon from being read as one.
    return Source(path.as_posix(), f"file:{path}", "file", False, None, options)


def _address(text: str) -> str:
    """Return an address, or "" where it is none; `Path` has taken one of its slashes away."""
    found = re.match(r"([A-Za-z]+):/{1,2}(?=[^/])", text)
    if not found or found[1].lower() not in SCHEMES:
        return ""
    return f"{found[1]}://{text[found.end() :]}"


def _without_password(address: str) -> str:
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address
    user, host = parts.netloc.rsplit("@", 1)
    shown = f"{user.split(':')[0]}:***@{host}" if ":" in user else f"{user}@{host}"
    return urlunsplit(parts._replace(netloc=shown))


def _camera(number: int) -> Source:
    if sys.platform not in CAMERAS:
        raise InputError(
            "Cameras are read by their number on Linux and macOS only.",
            expected="a file or an address",
            got=f"camera {number} on {sys.platform}",
            hint="rtsp://… of a camera in the network",
        )
    device, name, options = CAMERAS[sys.platform]
    return Source(f"camera {number}", name.format(number), "camera", True, device, options)
