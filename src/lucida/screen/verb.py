"""The verb `screen`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from lucida.results import Screening

SHOWN = 20


@dataclass(frozen=True)
class Verdict:
    """What the policy says of one image.

    Attributes:
        path: Of the image, as given.
        screening: The verdict.
        written: The copy that may leave the house; None where none was written.
    """

    path: str
    screening: Screening
    written: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        written = {"written": self.written.as_posix()} if self.written else {}
        return {"path": self.path, **self.screening.to_json(), **written}


@dataclass(frozen=True)
class ScreenResult:
    """What screening came to.

    Attributes:
        policy: Name of the policy.
        images: How many images there were.
        counts: How many of each verdict: "ok", "unsure", "breaks".
        rules: How many images break each rule, or may.
        verdicts: Those that are not "ok"; all of them where paths were given.
        skipped: Images that cannot be read, and why.
        seconds: How long it took.
        run: The run in the catalog; "" where paths were given.
        written: How many copies were written.
        notes: What a person should know, a sentence each.
    """

    policy: str
    images: int
    counts: dict[str, int]
    rules: dict[str, int]
    verdicts: tuple[Verdict, ...]
    skipped: dict[str, str]
    seconds: float
    run: str = ""
    written: int = 0
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self.__dict__, "verdicts": [one.to_json() for one in self.verdicts], "notes": list(self.notes)}

    def __str__(self) -> str:
        counts = ", ".join(f"{self.counts.get(kind, 0):,} {kind}" for kind in ("ok", "unsure", "breaks"))
        lines = [f"{self.images:,} images by {self.policy!r}: {counts} ({self.seconds:.1f} s)."]
        lines += [f"  {name}: {count:,}" for name, count in self.rules.items() if count]
        bad = [one for one in self.verdicts if one.screening.verdict != "ok"]
        lines += [f"{one.path}: {one.screening.verdict}: {one.screening.reason}" for one in bad[:SHOWN]]
        if len(bad) > SHOWN:
            lines.append(f"… and {len(bad) - SHOWN:,} more: --json gives all.")
        if self.skipped:
            lines.append(f"{len(self.skipped):,} images cannot be read; nothing is said of them.")
        if self.written:
            lines.append(f"{self.written:,} copies were written, without EXIF or other notes.")
        if self.run:
            lines.append(
                f"Run {self.run}. Next: lucida review --question {self.policy!r} --per-class bounds the share of"
                " images called ok that break the policy."
            )
        return "\n".join([*lines, *self.notes])


def screen(
    *paths: Path,
    policy: Path,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    max_images: int | None = None,
    catalog: Path | None = None,
) -> ScreenResult:
    """Screen images by a policy in plain words: those of the catalog, or of some paths.

    Args:
        paths: Files, folders, patterns, archives; the images of the catalog where none are given.
        policy: "privacy" hides faces and number plates, with models that are brought from the hub. Else a YAML file:
            rules, each with what it looks for (words, classes, text, examples, objects, a question), a threshold, and
            an action.
        out: A folder for copies of what is not blocked: blurred where a rule says so, without EXIF, place or time.
        max_images: Look at no more than so many; of a catalog the same call goes on.
        catalog: Folder of the catalog; LUCIDA_CATALOG or ./lucida-catalog by default.

    Raises:
        InputError: The policy has a mistake (in which line and column is said), or there is nothing to screen.
        UnknownName: A rule names a model or class that there is not.
        ModelError: A model cannot do what its rule asks.
        MissingExtra: A model needs a package that is not installed.
        CatalogError: There is no catalog, and no paths are given.
    """
    from lucida.screen.job import screen_catalog, screen_paths
    from lucida.screen.policy import read_policy

    rules = read_policy(policy)
    if paths:
        return screen_paths(rules, paths, out=out, most=max_images, catalog=catalog)
    return screen_catalog(rules, out=out, most=max_images, catalog=catalog)
