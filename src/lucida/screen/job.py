"""Screen images of the catalog or of paths, and write what may leave the house."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.catalog import Annotation, Catalog
from lucida.catalog.sources import count
from lucida.errors import ImageError, InputError
from lucida.progress import track
from lucida.results.screening import Screening
from lucida.runs.files import NewFiles, home_of, look_at, name_of, read_source, sources
from lucida.runs.seeing import Seen
from lucida.screen.privacy import safe_copy
from lucida.screen.screener import Screener
from lucida.screen.verb import ScreenResult, Verdict

if TYPE_CHECKING:
    from lucida.screen.policy import Policy


class Tally:
    """Counts verdicts, and writes copies.

    Args:
        policy: The rules.
        out: Folder for copies; None for none.
        everything: Keep all verdicts, also of images of which all is well.
    """

    def __init__(self, policy: Policy, out: Path | None, *, everything: bool) -> None:
        self._policy, self._everything = policy, everything
        self._copies = NewFiles(out) if out else None
        self.images, self.written = 0, 0
        self.counts: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.verdicts: list[Verdict] = []
        self.skipped: dict[str, str] = {}

    def take(self, path: str, data: bytes | None, seen: Seen) -> None:
        """Count what was said of one image."""
        self.images += 1
        verdict = seen.result
        if not isinstance(verdict, Screening):
            self.skipped[path] = seen.problem
            return
        self.counts[verdict.verdict] += 1
        self.rules.update(one.rule for one in verdict.findings)
        written = None
        if self._copies and data is not None:
            written = write_copy(self._copies, path, data, verdict)
            self.written += written is not None
        if self._everything or verdict.verdict != "ok":
            self.verdicts.append(Verdict(path, verdict, written))

    def result(self, seconds: float, run: str = "", notes: tuple[str, ...] = ()) -> ScreenResult:
        """Return all of it."""
        rules = {rule.name: self.rules[rule.name] for rule in self._policy.rules}
        return ScreenResult(
            self._policy.name, self.images, dict(self.counts), rules, tuple(self.verdicts), self.skipped,
            round(seconds, 3), run, self.written, notes,
        )  # fmt: skip


def write_copy(files: NewFiles, path: str, data: bytes, verdict: Screening) -> Path | None:
    """Write a copy that may leave the house; None where a rule that blocks images is broken, or may be."""
    if any(one.action == "block" for one in verdict.findings):
        return None
    # What may be a face is hidden as well: nobody is harmed by a blur too many.
    hidden = [box for one in verdict.findings if one.action == "blur" for box in one.boxes]
    copy, suffix = safe_copy(data, hidden)
    file = files.free(path, suffix)
    file.write_bytes(copy)
    return file


def screen_paths(
    policy: Policy, paths: Sequence[Path], *, out: Path | None = None, most: int | None = None,
    catalog: Path | None = None,
) -> ScreenResult:  # fmt: skip
    """Screen images of files, folders and archives."""
    began = time.monotonic()
    screener = Screener(policy, home_of(catalog))
    tally = Tally(policy, out, everything=True)
    items = sources(paths)
    with track("Screening", count(paths)) as step:
        for path, data, seen in look_at(screener.see, islice(items, most), read_source, name_of):
            tally.take(path, data, seen)
            step()
    if not tally.images:
        raise InputError("There is no image to screen.", expected="images", got="none", hint="check the paths")
    return tally.result(time.monotonic() - began)


def screen_catalog(
    policy: Policy, *, out: Path | None = None, most: int | None = None, catalog: Path | None = None
) -> ScreenResult:
    """Screen the images of a catalog; verdicts are annotations, and the same call goes on where it stopped."""
    began = time.monotonic()
    with Catalog.open(catalog) as opened:
        if not opened.images.count():
            raise InputError("The catalog holds no image.", expected="images", got="none", hint="lucida add FOLDER")
        screener = Screener(policy, opened.models)
        parameters = {
            "mode": "screened", "task": "screen", "policy": policy.to_json(), "classes": list(screener.labels),
            "encoder": "embedded",
        }  # fmt: skip
        run = opened.runs.start(
            "label", question=policy.name, model=screener.models, revision=screener.revision, parameters=parameters
        )
        todo = opened.runs.missing(run.id)
        names = opened.images.names(opened.images.ids())
        tally = Tally(policy, out, everything=False)
        if out:
            _write_known(opened, run.id, set(todo), names, tally)

        total = opened.images.count()
        with track("Screening", total, done=total - len(todo)) as step:
            for image, data, seen in look_at(screener.see, todo[: most or None], opened.images.read, str):
                if seen.result is not None:
                    opened.annotations.append(_annotations(image, policy.name, run.id, seen.result.items()))
                tally.take(names[image], data, seen)
                step()
        if not opened.runs.missing(run.id):
            opened.runs.finish(run.id)
        before = total - len(todo)
        notes = (f"{before:,} images were screened before; {tally.images:,} now.",) if before and not out else ()
        return tally.result(time.monotonic() - began, run.id, notes)


def _write_known(catalog: Catalog, run: str, todo: set[str], names: dict[str, str], tally: Tally) -> None:
    """Write copies of images that an earlier call has screened."""
    from lucida.results import Item

    found: dict[str, list[Item]] = {}
    for row in sorted(catalog.annotations.rows(run=run, kind="proposal"), key=lambda row: row.item):
        if row.image not in todo:
            found.setdefault(row.image, []).append(Item(row.label, row.score, row.detail))
    for image, items in found.items():
        try:
            data = catalog.images.read(image)
        except ImageError as error:
            tally.take(names.get(image, image), None, Seen(problem=error.what))
            continue
        tally.take(names.get(image, image), data, Seen(Screening.of_items(items)))


def _annotations(image: str, question: str, run: str, items: Sequence[Any]) -> Iterator[Annotation]:
    now = time.time()
    for number, item in enumerate(items):
        yield Annotation(
            image, question, run, item=number, label=item.label, score=item.score, detail=item.detail, time=now
        )
