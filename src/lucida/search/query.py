"""What is looked for: words, images, images to be like and unlike, and what the results must be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from lucida.errors import ImageError, InputError, UnknownName

if TYPE_CHECKING:
    from lucida.catalog import Catalog

By = Literal["all", "vectors", "text"]
BY: Final[tuple[By, ...]] = ("all", "vectors", "text")
# No model reads more, and nobody means more.
LONGEST: Final = 1000


@dataclass(frozen=True)
class Example:
    """An image that is asked with.

    Attributes:
        name: As it was given.
        id: Content id.
        data: Its bytes, where it came as a file; None where it is an image of the catalog.
        known: Whether the catalog has it.
    """

    name: str
    id: str
    data: bytes | None = field(repr=False, default=None)
    known: bool = False


@dataclass(frozen=True)
class Query:
    """One search.

    Attributes:
        text: Words, in English or Chinese; "" for none.
        images: Images to resemble: those of the catalog come back first.
        like: Images of what is wanted.
        unlike: Images of what is not wanted.
        where: Conditions on annotations, all to be met: "QUESTION=LABEL" or "QUESTION!=LABEL".
        state: Only answers in this state meet a condition; "" for any.
        glob: Pattern of paths, such as "photos/2026/*.jpg"; "" for any.
        by: Which lists are made: by vectors, by text, or all that apply.
    """

    text: str = ""
    images: tuple[Example, ...] = ()
    like: tuple[Example, ...] = ()
    unlike: tuple[Example, ...] = ()
    where: tuple[str, ...] = ()
    state: str = ""
    glob: str = ""
    by: By = "all"

    def __post_init__(self) -> None:
        if self.by not in BY:
            raise UnknownName("way to search", self.by, BY)
        if len(self.text) > LONGEST:
            raise InputError(
                "The query is too long.",
                expected=f"at most {LONGEST:,} characters",
                got=f"{len(self.text):,}: {self.text[:60]!r} …",
                hint="say it in a sentence; models of images read no more than that",
            )
        if not (self.text.strip() or self.images or self.like):
            raise InputError(
                "There is nothing to look for.",
                expected="words, an image, or images to be like",
                got=f"{len(self.unlike)} images to be unlike" if self.unlike else "an empty query",
                hint='lucida search "red dress", or --image photo.jpg, or --like a.jpg --unlike b.jpg',
            )
        if self.by == "text" and not self.text.strip():
            raise InputError("Text is searched by words.", expected="words", got="images only", hint="leave out --by")

    @property
    def examples(self) -> tuple[Example, ...]:
        """All images that are asked with."""
        return (*self.images, *self.like, *self.unlike)

    def to_json(self) -> dict[str, Any]:
        """Return what was asked, as plain values; what was not asked is left out."""
        names = {part: [one.name for one in getattr(self, part)] for part in ("images", "like", "unlike")}
        said = {"text": self.text, **names, "where": list(self.where), "state": self.state, "glob": self.glob}
        return {name: value for name, value in said.items() if value} | ({"by": self.by} if self.by != "all" else {})

    def __str__(self) -> str:
        parts = [repr(self.text)] if self.text else []
        for word, examples in (("image", self.images), ("like", self.like), ("unlike", self.unlike)):
            parts += [f"{word} {', '.join(Path(one.name).name for one in examples)}"] if examples else []
        parts += [f"where {condition}" for condition in self.where]
        parts += [f"only {self.state}"] if self.state else []
        parts += [f"in {self.glob}"] if self.glob else []
        return ", ".join(parts)


def read_examples(catalog: Catalog, names: Iterable[str | Path]) -> tuple[Example, ...]:
    """Find the images that a search is asked with: files, or images of the catalog by path, name or content id.

    Raises:
        InputError: There is no such image, or several of this name.
        ImageError: A file cannot be decoded.
    """
    return tuple(_read(catalog, str(name)) for name in names)


def _read(catalog: Catalog, name: str) -> Example:
    path = Path(name).expanduser()
    if path.is_file():
        from lucida.images import content_id, decode, read

        try:
            data = read(path)
            id = content_id(data)
            known = _known(catalog, id)
            if not known:
                decode(data, cover=8)
        except ImageError as error:
            what = f"{name} cannot be looked for: {error.what}"
            raise ImageError(what, expected=error.expected, got=error.got, hint=error.hint) from error
        return Example(name, id, data, known)
    found = [name] if _known(catalog, name) else catalog.images.resolve(name)
    if len(found) == 1:
        return Example(name, found[0], None, True)
    raise _refused(catalog, name, found)


def _known(catalog: Catalog, id: str) -> bool:
    if len(id) != 64:
        return False
    try:
        return bool(catalog.images.places(id))
    except InputError:
        return False


def _refused(catalog: Catalog, name: str, found: Sequence[str]) -> InputError:
    if found:
        paths = list(catalog.images.names(found[:3]).values())
        return InputError(
            f"Several images are named {name!r}.",
            expected="one image",
            got=", ".join(paths),
            hint="give its whole path",
        )
    return InputError(
        f"There is no image {name!r}.",
        expected="a file, or the path of an image in the catalog",
        got="neither",
        hint="check the path; words to look for stand first, without an option",
    )
