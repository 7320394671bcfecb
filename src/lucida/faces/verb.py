"""The verb `faces`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.faces.store import FaceStore

SHOWN = 20


@dataclass(frozen=True)
class FaceGroup:
    """Faces that are one person's, as far as can be told.

    Attributes:
        number: Of the group.
        name: Given by a person; "" where it has none.
        faces: How many.
        images: In how many images.
        examples: Paths of a few of these.
    """

    number: int
    name: str
    faces: int
    images: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class FacesResult:
    """What is kept of faces.

    Attributes:
        images: How many images were looked at.
        faces: How many faces were found in them.
        groups: The largest first.
        alone: Faces that are like no other, or too small to tell.
        since: Day on which a person agreed to this; "" where nothing is kept.
        written: Sheets of faces, one a group.
        skipped: Images that cannot be read, and why.
        erased: With `forget`: whether anything was kept; None without.
    """

    images: int = 0
    faces: int = 0
    groups: tuple[FaceGroup, ...] = ()
    alone: int = 0
    since: str = ""
    written: tuple[Path, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    erased: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self.__dict__, "groups": [{**one.__dict__, "examples": list(one.examples)} for one in self.groups],
                "written": [path.as_posix() for path in self.written]}  # fmt: skip

    def __str__(self) -> str:
        if self.erased is not None:
            if not self.erased:
                return "No faces were kept here; nothing had to be erased."
            return (
                "All faces, vectors, groups and names are erased, and what was said by them in the catalog. Sheets and"
                " exports that you wrote elsewhere are yours to delete."
            )
        lines = [
            f"{self.faces:,} faces in {self.images:,} images: {len(self.groups):,} groups, {self.alone:,} faces in"
            " none."
        ]
        for one in self.groups[:SHOWN]:
            name = f" {one.name}" if one.name else ""
            lines.append(
                f"  {one.number}{name}: {one.faces:,} faces in {one.images:,} images, {', '.join(one.examples)}"
            )
        if len(self.groups) > SHOWN:
            lines.append(f"… and {len(self.groups) - SHOWN:,} more: --json gives all.")
        if self.written:
            lines.append(f"{len(self.written):,} sheets of faces are in {self.written[0].parent}.")
        if self.skipped:
            lines.append(f"{len(self.skipped):,} images cannot be read; nothing is said of them.")
        lines.append(
            f"Kept since {self.since}, by your consent; lucida faces --forget erases all of it. Groups are guesses:"
            ' look before you name one. Next: lucida faces -o sheets/; --name "NUMBER=NAME"; lucida review --question'
            " person"
        )
        return "\n".join(lines)


def faces(
    *,
    group: bool = False,
    consent: bool = False,
    name: list[str] | None = None,
    forget: bool = False,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    likeness: float = 0.363,
    smallest: int = 32,
    detector: str = "yunet",
    recogniser: str = "sface",
    max_images: int | None = None,
    catalog: Path | None = None,
) -> FacesResult:
    """Group the faces of your own album by whose they are, name the groups, and erase it all again.

    Nothing is kept without `--consent`. No model for it ships in the package: "yunet" (MIT) and "sface" (Apache-2.0)
    are brought from the hub once. Names are annotations: `lucida search "beach" --where person=Anna` finds them.

    Args:
        group: Find and group the faces of the catalog's images. The same call again looks at what was added since;
            groups and names stay.
        consent: Agree that of every face its place and a vector are kept, in the folder of the catalog alone. By such
            vectors people are recognised: they are biometric data, for which many laws ask the consent of everybody
            shown, unless the album is purely private. Asked for once.
        name: "NUMBER=NAME" of a group; several may be named, also two alike. "NUMBER=" takes a name back.
        forget: Erase all faces, vectors, groups and names, and what was said by them in the catalog.
        out: A folder for a sheet of faces of each group, to see whom to name.
        likeness: Average cosine from which faces are one person's; higher for fewer mixed groups.
        smallest: Pixels of the shorter side of a face, from which it is grouped.
        detector: What finds faces with five points each.
        recogniser: What turns a face into a vector.
        max_images: Look at no more than so many; the same call goes on.
        catalog: Folder of the catalog; LUCIDA_CATALOG or ./lucida-catalog by default.

    Raises:
        InputError: Nobody agreed, nothing is kept, or an option is not what it must be.
        UnknownName: No such group or model.
        ModelError: A model is not on this machine and cannot be had.
        CatalogError: There is no catalog.
    """
    from lucida.catalog import Catalog
    from lucida.errors import InputError
    from lucida.faces import job
    from lucida.faces.finding import FaceFinder
    from lucida.faces.sheets import write_sheets

    if not 0 < likeness < 1:
        raise InputError("The likeness is no cosine.", expected="0 to 1", got=f"{likeness:g}", hint="--likeness 0.363")
    if forget and (group or name or out):
        raise InputError("Forgetting comes alone.", expected="--forget", got="more options", hint="one after the other")
    with Catalog.open(catalog) as opened:
        if forget:
            erased, runs = job.forget(opened)
            return FacesResult(erased=erased or bool(runs))
        skipped: dict[str, str] = {}
        if group:
            finder = FaceFinder(detector, recogniser, opened.models, smallest)
            store, skipped = job.group(opened, finder, consent=consent, likeness=likeness, most=max_images)
        else:
            store = job.open_store(opened)
        if name:
            job.name_groups(opened, store, name)
        found = job.sizes(store.faces(vectors=False))
        written = write_sheets(opened, found, store.names(), out.expanduser()) if out else []
        return _result(opened, store, tuple(written), skipped)


def _result(catalog: Catalog, store: FaceStore, written: tuple[Path, ...], skipped: dict[str, str]) -> FacesResult:
    from lucida.faces import job
    from lucida.faces.records import NOBODY

    every = [face for face in store.faces(vectors=False) if face.said != NOBODY]
    names, groups = store.names(), []
    for number, found in job.sizes(every).items():
        images = list(dict.fromkeys(face.image for face in found))
        paths = tuple(catalog.images.names(images[:3]).values())
        groups.append(FaceGroup(number, names.get(number, ""), len(found), len(images), paths))
    shown = dict(list(skipped.items())[:100])
    paths_of = catalog.images.names(shown)
    return FacesResult(
        len(store.seen()), len(every), tuple(groups), len(every) - sum(one.faces for one in groups), job.since(store),
        written,
        {paths_of[image]: why for image, why in shown.items()},
    )  # fmt: skip
