"""The verb `add`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lucida.catalog.records import Refusal
from lucida.errors import InputError

SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class AddResult:
    """What `add` did.

    Args:
        added: Images that are new in the catalog.
        known: Files whose image was there before, or came twice.
        refused: Paths that were not added, each with its reason.
    """

    added: int
    known: int
    refused: list[Refusal]

    def to_json(self) -> dict[str, Any]:
        """Return the counts, and each refused path with its reason."""
        return {"added": self.added, "known": self.known, "refused": [r.to_json() for r in self.refused]}

    def __str__(self) -> str:
        lines = [f"{self.added:,} added, {self.known:,} known, {len(self.refused):,} refused"]
        lines += [f"  {refusal.path}: {refusal.reason}" for refusal in self.refused[:SHOWN]]
        if len(self.refused) > SHOWN:
            lines.append(f"  … and {len(self.refused) - SHOWN:,} more: --json lists them all")
        return "\n".join(lines)


def add(paths: list[Path], *, rate: str = "1", catalog: Path | None = None) -> AddResult:
    """Add images to the catalog; those that are there already are not read again.

    A bad file never stops it: it is refused with its reason. Stopped at any moment, the same call goes on from
    there.

    Args:
        paths: Image files, folders (with all folders below), patterns such as "photos/**/*.jpg" in quotes,
            .zip and .tar archives, Parquet files in the convention of `datasets`, or videos.
        rate: Frames of a video that are added: so many a second, "scene" for one of each scene, or "all".
        catalog: Folder of the catalog; default LUCIDA_CATALOG, else ./lucida-catalog. It is made if missing.

    Returns:
        How many were added and known, and what was refused.

    Raises:
        InputError: Nothing among the paths is an image.
        CatalogError: The catalog is damaged, newer than this program, or cannot be written.
    """
    from lucida.catalog.catalog import Catalog, exists
    from lucida.catalog.ingest import Ingest
    from lucida.catalog.sources import count, find
    from lucida.video import read_sampling

    sampling = read_sampling(rate)
    given = _listed(paths)
    if not given:
        raise InputError("No path was given.", expected="files, folders, archives or patterns", got="nothing",
                         hint="lucida add photos/")  # fmt: skip
    if not exists(catalog):
        # A mistyped path must not leave an empty catalog behind.
        _expect_images(given)
    with Catalog.open(catalog, create=True) as opened:
        ingest = Ingest(opened)
        ingest.run(find(given, opened, sampling), total=lambda: count(given))
        result = AddResult(ingest.added, ingest.known, ingest.refused)
    if not result.added and not result.known:
        raise _nothing(given, result.refused)
    return result


def _listed(paths: object) -> list[Path | str]:
    """Return the paths as a list: from Python, one path alone is a natural thing to give."""
    if isinstance(paths, str | Path):
        return [paths]
    return list(paths) if isinstance(paths, Iterable) else []


def _expect_images(given: Sequence[Path | str]) -> None:
    """Look for the first file that begins like an image, or the first archive.

    Raises:
        InputError: There is none.
    """
    from lucida.catalog.sources import Container, find
    from lucida.errors import ImageError
    from lucida.images import read

    refused: list[Refusal] = []
    for item in find(given):
        if isinstance(item, Container):
            return
        if isinstance(item, Refusal):
            refused.append(item)
            continue
        try:
            read(item.uri)
            return
        except ImageError as error:
            refused.append(Refusal(item.given, error.what))
    raise _nothing(given, refused)


def _nothing(given: Sequence[Path | str], refused: Sequence[Refusal]) -> InputError:
    names = ", ".join(str(path) for path in given[:3]) + (", …" if len(given) > 3 else "")
    first = "; ".join(f"{refusal.path}: {refusal.reason}" for refusal in refused[:3])
    more = f"; and {len(refused) - 3:,} more" if len(refused) > 3 else ""
    return InputError(
        f"No image was found in {names}.",
        expected="JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC or DICOM files, folders or archives of them, Parquet, "
        "or videos",
        got=first + more or "an empty folder",
        hint="check the path; the catalog is as it was",
    )
