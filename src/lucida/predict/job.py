"""Look at all images that some paths hold, draw and write what was found as it goes."""

from __future__ import annotations

import json
import re
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lucida.catalog.sources import Container, count, find
from lucida.catalog.sources.found import Found, show
from lucida.errors import ImageError, InputError
from lucida.images import decode, read
from lucida.models.chat import Usage
from lucida.models.registry import find as find_model
from lucida.models.threads import available_cores
from lucida.predict.films import Watch, divide, look_at
from lucida.predict.verb import Predicted, PredictResult
from lucida.progress import track
from lucida.runs.asking import usual_model
from lucida.runs.local import map_batches
from lucida.runs.seeing import Seen, Seer, Wish

if TYPE_CHECKING:
    from lucida.catalog.records import Refusal
    from lucida.models.spec import Precision
    from lucida.predict.moments import Watched

    Source = Found | Refusal

KEPT = 1000  # results of a stream that are kept where they are not written
BATCH = 8  # images that are looked at together
GROUP = 512  # of which at most so many wait
TOGETHER = 100  # images that one question may be about: no model takes more
_UNUSUAL = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')  # what file names of some system cannot hold


def run_predict(
    paths: Sequence[str | Path],
    wish: Wish,
    *,
    model: str = "",
    precision: Precision = "auto",
    save: Path | None = None,
    out: Path | None = None,
    together: bool = False,
    watch: Watch | None = None,
    catalog: Path | None = None,
) -> PredictResult:
    """Ask a model about images and videos.

    Args:
        paths: Files, folders, patterns, archives; videos, addresses of streams, numbers of cameras.
        wish: What is asked.
        model: Its name; "" for the usual one.
        precision: Of the model.
        save: Folder for drawings; None for none.
        out: File for the results; None to keep them in what is returned.
        together: Ask about all images at once, rather than about each.
        watch: How videos are looked at.
        catalog: Whose models are known as well.

    Raises:
        InputError: There is nothing to look at, or not all of what is to be looked at together.
        UnknownName: No such model, task or class.
        ModelError: The model cannot do this.
    """
    if not paths:
        raise InputError("There is nothing to look at.", expected="images", got="no path", hint="lucida predict a.jpg")
    began = time.monotonic()
    pictures, videos = divide(paths)
    watch = watch or Watch()
    if watch.track and pictures:
        raise InputError(
            "Only videos can be tracked.", expected="videos alone", got=show(pictures[0]), hint="no --track"
        )
    spec = find_model(usual_model(wish, model), home_of(catalog))
    seer = Seer(spec, watch.unsure(wish, spec.gives.least), precision)
    if together:
        if videos:
            raise InputError(
                "A video is asked about alone.", expected="images", got=videos[0].name, hint="no --together"
            )
        return _all_together(seer, pictures, save, out, began)
    results: deque[Predicted] = deque()
    watched: list[Watched] = []
    skipped: dict[str, str] = {}
    usage, images = Usage(), 0
    with ExitStack() as stack:
        writer = stack.enter_context(Writer(out)) if out else None
        drawings = Drawings(save) if save else None
        step = stack.enter_context(track(f"Asking {spec.name}", None if videos else count(pictures)))

        def keep(one: Predicted, *, live: bool = False) -> None:
            step()
            if writer:
                writer.write(one)
                return
            results.append(one)
            if live:
                # It may go on for days: who watches sees it now, and only the last are kept.
                print(one, file=sys.stderr)
                if len(results) > KEPT:
                    results.popleft()

        for path, data, seen in look(seer, sources(pictures)):
            images += 1
            usage += seen.usage
            if seen.result is None:
                skipped[path] = seen.problem
                step()
                continue
            one = Predicted(path, seer.wish.task, seen.result, seen.size)
            if drawings and data is not None:
                one = replace(one, saved=drawings.write(one, data))
            keep(one)
        for source in videos:
            file = drawings.free(source.name, ".mp4", source.address) if drawings else None
            done = look_at(seer, source, watch, keep, watch.sure(wish, spec.gives.least), file)
            images += max(1, done.watched.frames + len(done.skipped))
            usage += done.usage
            skipped |= done.skipped
            watched.append(done.watched)
    if not images:
        raise InputError(
            "There is no image to look at.",
            expected="images, or folders that hold some",
            got=", ".join(show(path) for path in paths[:5]),
            hint="check the path",
        )
    engine = seer.model.engine if images > len(skipped) else ""
    seconds = round(time.monotonic() - began, 3)
    return PredictResult(
        tuple(results), images, skipped, spec.name, seer.wish.task, engine, seconds, out, usage.cost, seer.notes,
        tuple(watched),
    )  # fmt: skip


def _all_together(
    seer: Seer, paths: Sequence[Path], save: Path | None, out: Path | None, began: float
) -> PredictResult:
    if save is not None:
        raise InputError(
            "One answer about several images is drawn onto none of them.",
            expected="--together or --save",
            got="both",
            hint="-o FILE.json keeps the answer",
        )
    found = list(islice(sources(paths), TOGETHER + 1))
    if not found or len(found) > TOGETHER:
        raise InputError(
            "These are no images to look at together.",
            expected=f"1 to {TOGETHER} images",
            got=f"more than {TOGETHER}" if found else ", ".join(show(path) for path in paths[:5]),
            hint="name the images that are to be compared",
        )
    files = []
    for item in found:
        try:
            files.append(_bytes(item))
        except ImageError as error:
            raise InputError(f"{_path(item)} cannot be looked at.", expected="an image", got=error.what) from error
    names = tuple(_path(item) for item in found)
    seen = seer.see_together(files)
    results = [Predicted(names[0], seer.wish.task, seen.result, seen.size, together=names)] if seen.result else []
    if out is not None:
        with Writer(out) as writer:
            for one in results:
                writer.write(one)
    return PredictResult(
        () if out else tuple(results),
        len(names),
        {} if results else dict.fromkeys(names, seen.problem),
        seer.spec.name,
        seer.wish.task,
        seer.model.engine,
        round(time.monotonic() - began, 3),
        out,
        seen.usage.cost,
        seer.notes,
    )


def home_of(catalog: Path | None) -> Path | None:
    """Return where a catalog keeps models of its own; None where there is no catalog."""
    from lucida.catalog import Catalog
    from lucida.errors import CatalogError

    try:
        with Catalog.open(catalog) as opened:
            return opened.models
    except CatalogError:
        if catalog is not None:
            raise
        return None


def sources(paths: Sequence[Path]) -> Iterator[Source]:
    """Yield files that may be images, and what cannot be one."""
    yield from (item for item in find(paths) if not isinstance(item, Container))


def look(seer: Seer, found: Iterator[Source]) -> Iterator[tuple[str, bytes | None, Seen]]:
    """Yield path, bytes and what was seen of each, in order."""

    def work(items: tuple[Source, ...]) -> list[tuple[str, bytes | None, Seen]]:
        files: list[bytes | None] = []
        failed: dict[int, str] = {}
        for row, item in enumerate(items):
            try:
                files.append(_bytes(item))
            except ImageError as error:
                files.append(None)
                failed[row] = error.what
        said = iter(seer.see([data for data in files if data is not None]))
        return [
            (_path(item), data, Seen(problem=failed[row]) if data is None else next(said))
            for row, (item, data) in enumerate(zip(items, files, strict=True))
        ]

    # Loaded by one, so that threads do not load it several times.
    first = True
    while group := list(islice(found, GROUP)):
        if first:
            _ = seer.model
            first = False
        workers = max(1, min(available_cores(), -(-len(group) // BATCH)))
        for part in map_batches(work, group, batch=BATCH, workers=workers):
            yield from part


def _path(item: Source) -> str:
    return item.given if isinstance(item, Found) else item.path


def _bytes(item: Source) -> bytes:
    if not isinstance(item, Found):
        raise ImageError(item.reason)
    return item.data if item.data is not None else read(item.uri)


class Drawings:
    """Writes images with what was found on them, each under a name of its own.

    Args:
        folder: Made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{folder} cannot be made.",
                expected="a folder",
                got=error.strerror or str(error),
                hint="another --save",
            ) from error

    def free(self, path: str, suffix: str, source: str) -> Path:
        """Return a file that nothing was drawn into yet, and that is not the source itself.

        Args:
            path: What it is named after.
            suffix: Of the file.
            source: Where the image or video lies.
        """
        stem, number = _UNUSUAL.sub("-", Path(path).stem).strip("-") or "image", 1
        file, own = self._folder / f"{stem}{suffix}", Path(source.removeprefix("file:"))
        while file.name.casefold() in self._taken or (file.exists() and own.exists() and file.samefile(own)):
            number += 1
            file = self._folder / f"{stem}-{number}{suffix}"
        self._taken.add(file.name.casefold())
        return file

    def write(self, one: Predicted, data: bytes) -> Path:
        """Draw one image and return its file."""
        from lucida.results.drawing import draw

        file = self.free(one.path, ".png", one.path)
        draw(one.result, decode(data).rgb8()).save(file)
        return file


class Writer:
    """Writes results to a file: ".jsonl" a line each as they come, else one JSON list at the end.

    Args:
        file: Where.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._lines = file, file.suffix == ".jsonl"
        self._first = True
        self._out: IO[str]

    def __enter__(self) -> Writer:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._out = self._file.open("w", encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"{self._file} cannot be written.",
                expected="a file",
                got=error.strerror or str(error),
                hint="another -o",
            ) from error
        if not self._lines:
            self._out.write("[\n")
        return self

    def write(self, one: Predicted) -> None:
        """Write one result."""
        text = json.dumps(one.to_json(), ensure_ascii=False, allow_nan=False)
        self._out.write(text + "\n" if self._lines else ("" if self._first else ",\n") + text)
        self._out.flush()
        self._first = False

    def __exit__(self, *_: object) -> None:
        if not self._lines:
            self._out.write("\n]\n")
        self._out.close()
