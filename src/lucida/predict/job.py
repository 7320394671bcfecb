"""Look at all images that some paths hold, draw and write what was found as it goes."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice, takewhile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lucida.catalog.sources import count
from lucida.catalog.sources.found import show
from lucida.errors import ImageError, InputError
from lucida.images import decode
from lucida.models.chat import Usage
from lucida.models.openai_api.options import USUAL
from lucida.models.registry import find as find_model
from lucida.predict.films import Watch, divide
from lucida.predict.films import look_at as watch_video
from lucida.predict.verb import Predicted, PredictResult
from lucida.predict.writing import Descriptions, Place
from lucida.progress import track
from lucida.results import Description
from lucida.runs.asking import asked_so, usual_model
from lucida.runs.files import NewFiles, home_of, look_at, name_of, read_source, sources
from lucida.runs.seeing import Seer, Wish
from lucida.runs.spending import Budget

if TYPE_CHECKING:
    from lucida.models.openai_api.options import ApiOptions
    from lucida.models.spec import Precision
    from lucida.predict.moments import Watched

KEPT = 1000  # results of a stream that are kept where they are not written
TOGETHER = 100  # images that one question may be about: no model takes more


def run_predict(
    paths: Sequence[str | Path],
    wish: Wish,
    *,
    model: str = "",
    precision: Precision = "auto",
    save: Path | None = None,
    out: Path | None = None,
    together: bool = False,
    write: Place | None = None,
    watch: Watch | None = None,
    api: ApiOptions = USUAL,
    budget: Budget | None = None,
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
        write: Where descriptions are written into: "copy" or "in-place"; None for no file.
        watch: How videos are looked at.
        api: How a model behind an address is asked.
        budget: What it may cost; None for no limit.
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
    budget = budget or Budget()
    spec = asked_so(find_model(usual_model(wish, model), home_of(catalog)), api, budget.limit)
    seer = Seer(spec, watch.unsure(wish, spec.gives.least), precision, budget)
    if budget.limit is not None:
        budget.check(seer.model)
    if write and (seer.wish.task != "describe" or together or videos):
        raise InputError(
            "Only descriptions of images can be written into them.",
            expected="--task describe, and images",
            got=f"the task {seer.wish.task}" + (", together" if together else ", a video" if videos else ""),
            hint="lucida predict a.jpg --task describe --model smolvlm --write copy",
        )
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
        texts = Descriptions(write, save) if write else None
        drawings = Drawings(save) if save and not texts else None
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

        rows = {"batch": 1, "workers": seer.model.workers} if seer.talks else {}
        coming = takewhile(lambda _: not budget.over, sources(pictures))
        for path, data, seen in look_at(seer.see, coming, read_source, name_of, **rows):
            images += 1
            usage += seen.usage
            if seen.result is None:
                skipped[path] = seen.problem
                step()
                continue
            one = Predicted(path, seer.wish.task, seen.result, seen.size)
            if drawings and data is not None:
                one = replace(one, saved=drawings.write(one, data))
            if texts and data is not None and isinstance(seen.result, Description):
                one = replace(one, saved=texts.write(path, data, seen.result))
            keep(one)
        for source in takewhile(lambda _: not budget.over, videos):
            suffix = ".png" if seer.wish.questions else ".mp4"
            file = drawings.free(source.name, suffix, source.address) if drawings else None
            done = watch_video(seer, source, watch, keep, watch.sure(wish, spec.gives.least), file)
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
    notes = (
        *seer.notes,
        *_stopped(budget),
        *(f"{path}: {why}" for path, why in (texts.problems if texts else {}).items()),
    )
    return PredictResult(
        tuple(results), images, skipped, spec.name, seer.wish.task, engine, seconds, out, usage.cost, notes,
        tuple(watched),
    )  # fmt: skip


def _stopped(budget: Budget) -> Iterator[str]:
    if budget.over:
        yield f"Stopped at ${budget.spent:.4f} of ${budget.limit:g}: what was left was not asked about."


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
            files.append(read_source(item))
        except ImageError as error:
            raise InputError(f"{name_of(item)} cannot be looked at.", expected="an image", got=error.what) from error
    names = tuple(name_of(item) for item in found)
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
        (*seer.notes, *_stopped(seer.budget)),
    )


class Drawings(NewFiles):
    """Writes images with what was found on them, each under a name of its own."""

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
