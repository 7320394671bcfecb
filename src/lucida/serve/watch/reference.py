"""What live traffic is compared with: the images of a certificate, of a run, of the catalog, or of a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lucida.errors import InputError, UnknownName
from lucida.serve.watch.settings import LIVE

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run

CATALOG: Final = "catalog"


@dataclass(frozen=True)
class Reference:
    """Images to compare with.

    Attributes:
        about: What they are, for people.
        images: Their names, in an order that has nothing to do with what they show.
        read: Gives the bytes of one.
        scores: Whether what the model says of them may be compared: not where it has learned from them.
        notes: What a person should know of it.
        certificate: The certificate whose population they are.
    """

    about: str
    images: tuple[str, ...]
    read: Callable[[str], bytes]
    scores: bool = True
    notes: tuple[str, ...] = ()
    certificate: Path | None = None


def find_reference(given: str, catalog: Catalog | None, most: int) -> Reference | None:
    """Return the images of a reference, at most so many, drawn at random; None where it is what comes first.

    Args:
        given: As of `WatchSettings.reference`.
        catalog: That is served.
        most: Images.

    Raises:
        InputError: There is no such reference, it is empty, or it needs a catalog.
        UnknownName: The catalog has no such run.
        CertificateError: The certificate cannot be read.
    """
    if given == LIVE:
        return None
    path = Path(given).expanduser()
    if path.is_dir():
        return _of_folder(path, most)
    if path.suffix == ".json" and path.exists():
        return _of_certificate(path, _needed(catalog, given), most)
    if len(path.parts) > 1 or path.suffix == ".json":
        raise InputError(
            f"There is no reference {given!r}.",
            expected="a folder of images, or a certificate.json",
            got="no such folder or file",
            hint="paths in serve.yaml that begin with ./ lead on from its folder",
        )
    opened = _needed(catalog, given)
    if given == CATALOG:
        return _of_catalog(opened, f"the catalog's {opened.images.count():,} images", opened.images.ids(), most)
    return _of_run(opened, opened.runs.get(given), most)


def _needed(catalog: Catalog | None, given: str) -> Catalog:
    if catalog is None:
        raise InputError(
            f"The reference {given!r} is neither a folder nor a file, and no catalog is served.",
            expected="live, a folder of images, or a run or certificate with its catalog",
            got=given,
            hint="lucida serve MODEL --catalog FOLDER",
        )
    return catalog


def _of_certificate(path: Path, catalog: Catalog, most: int) -> Reference:
    from lucida.review.certificate import read_json
    from lucida.review.population import Population

    values = read_json(path)
    population = Population.load(path.with_name(str(values.get("population_file") or "certificate.population.parquet")))
    # Units of boxes are called image#number.
    images = list(dict.fromkeys(id.partition("#")[0] for id in population.ids))
    found = _of_catalog(catalog, f"the population of the certificate {path.name}", images, most)
    return Reference(found.about, found.images, found.read, True, found.notes, path)


def _of_run(catalog: Catalog, run: Run, most: int) -> Reference:
    if run.verb == "review":
        path = catalog.runs.folder(run.id) / "certificate.json"
        if path.exists():
            return _of_certificate(path, catalog, most)
        return _of_run(catalog, catalog.runs.get(str(run.parent)), most)
    if run.verb in ("label", "teach"):
        images = list(dict.fromkeys(catalog.annotations.table(run.id).ids))
        return _of_catalog(catalog, f"the images of the run {run.id}", images, most)
    if run.verb == "train":
        images = [one.image for one in catalog.annotations.current(run.question, state=("reviewed", "accepted"))]
        found = _of_catalog(catalog, f"the answers that {run.id} learned from", images, most)
        note = "The model has learned from these images and is too sure of them: scores are not compared."
        return Reference(found.about, found.images, found.read, False, (*found.notes, note))
    known = [one.id for one in catalog.runs.all() if one.verb in ("label", "teach", "review", "train")]
    raise UnknownName("run with images", run.id, known, hint="a run of label, review or train")


def _of_catalog(catalog: Catalog, about: str, images: Sequence[str], most: int) -> Reference:
    there = set(catalog.images.ids())
    held = [id for id in images if id in there]
    notes = (f"{len(images) - len(held):,} of its images are not in the catalog any more.",)
    return _checked(Reference(about, _some(held, most), catalog.images.read, notes=notes[: len(images) > len(held)]))


def _of_folder(path: Path, most: int) -> Reference:
    from lucida.catalog.sources import Found, find
    from lucida.images import read

    # Archives within would have to be read whole for one member.
    found = [one.uri for one in find([path]) if isinstance(one, Found) and Path(one.uri).is_file()]
    return _checked(Reference(f"the images of {path.name}", _some(found, most), read))


def _some(images: Sequence[str], most: int) -> tuple[str, ...]:
    """Return some names in an order that has nothing to do with theirs, the same at every start."""
    return tuple(sorted(images, key=lambda name: sha256(b"watch" + name.encode()).digest())[:most])


def _checked(reference: Reference) -> Reference:
    from lucida.evidence.drift import LEAST

    if len(reference.images) < LEAST:
        raise InputError(
            f"The reference is too small: {reference.about}.",
            expected=f"at least {LEAST} images, better a few hundred",
            got=f"{len(reference.images)}",
            hint="name another reference, or live: then the first images that come are it",
        )
    return reference
