"""Find the faces of a catalog, group them, name the groups, and forget it all."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.errors import ImageError, InputError, UnknownName
from lucida.faces.finding import FaceFinder
from lucida.faces.grouping import grouped
from lucida.faces.records import UNKNOWN, Face, labelled_group
from lucida.faces.saying import heed, publish, unsay
from lucida.faces.store import FaceStore, kept_at
from lucida.images import decode
from lucida.models.threads import available_cores
from lucida.progress import track
from lucida.runs.local import map_batches

if TYPE_CHECKING:
    from lucida.catalog import Catalog

BATCH: Final = 4
STORED: Final = (
    "of every face its place in the image and a vector by which the face is recognised again, in the folder of the"
    " catalog and nowhere else; as annotations which group, and which name you give it"
)
LAW: Final = (
    "Such vectors are biometric data. Outside of a purely private album many laws (in the EU the GDPR, Article 9) ask"
    " for the explicit consent of everybody shown"
)


def open_store(catalog: Catalog) -> FaceStore:
    """Return the faces that a catalog keeps.

    Raises:
        InputError: It keeps none.
    """
    file = kept_at(catalog.path)
    if not file.is_file():
        raise InputError(
            "No faces are kept here.",
            expected="faces that were grouped",
            got="none",
            hint="lucida faces --group --consent",
        )
    return FaceStore(file)


def agreed_store(catalog: Catalog, finder: FaceFinder, likeness: float, *, consent: bool) -> FaceStore:
    """Return the faces that a catalog keeps; where it keeps none yet, a person has to agree first.

    Raises:
        InputError: Nobody agreed, or what is kept came from other models.
    """
    file = kept_at(catalog.path)
    if not file.is_file():
        if not consent:
            raise InputError(
                "Grouping faces keeps biometric data, which needs your consent.",
                expected=f"--consent: this keeps {STORED}. {LAW}",
                got="no consent",
                hint="lucida faces --group --consent; lucida faces --forget erases all of it",
            )
        telling = finder.recogniser
        facts = {"consent": STORED, "model": finder.name, "models": finder.revision, "likeness": str(likeness),
                 "recogniser": telling.name, "telling": telling.revision}  # fmt: skip
        return FaceStore.create(file, facts)
    store = FaceStore(file)
    known = store.facts().get("models")
    if known != finder.revision:
        raise InputError(
            "The faces that are kept came from other models, whose vectors are no measure for these.",
            expected=f"models {known}",
            got=f"{finder.name}, {finder.revision}",
            hint="the same --detector and --recogniser as before; or lucida faces --forget, and begin anew",
        )
    return store


def look(catalog: Catalog, store: FaceStore, finder: FaceFinder, most: int | None = None) -> dict[str, str]:
    """Find the faces of all images that were not looked at; return which cannot be read, and why."""
    every = catalog.images.ids()
    seen = store.seen()
    store.remove(seen - set(every))
    todo = [image for image in every if image not in seen][: most or None]
    skipped: dict[str, str] = {}
    if not todo:
        return skipped
    finder.load()

    def work(ids: tuple[str, ...]) -> tuple[list[str], list[Face], dict[str, str]]:
        read, done, found, failed = catalog.images.reader(ids), [], list[Face](), {}
        for image in ids:
            try:
                found += finder.find(image, decode(read(image)))
                done.append(image)
            except ImageError as error:
                failed[image] = error.what
        return done, found, failed

    with track("Finding faces", len(every), done=len(every) - len(todo)) as step:
        for done, found, failed in map_batches(work, todo, batch=BATCH, workers=available_cores()):
            store.add(done, found)
            skipped |= failed
            step(len(done) + len(failed))
    return skipped


def regroup(store: FaceStore, likeness: float) -> None:
    """Put faces that are in no group into one; what is in one stays."""
    faces = [face for face in store.faces() if face.vector is not None]
    # What a person named by itself, or called no face, is no measure for a group.
    free = [face for face in faces if face.said is None]
    if not free:
        return
    vectors = np.stack([face.vector for face in free if face.vector is not None])
    before = np.array([face.group for face in free], np.int64)
    after = grouped(vectors, before, likeness)
    # A number is never given twice, even where all of a group were renamed one by one.
    taken = max([face.group for face in faces] + list(store.names()), default=0)
    fresh = after > before.max(initial=0)
    after[fresh] += max(0, taken - int(before.max(initial=0)))
    store.group(
        {
            (face.image, face.item): int(group)
            for face, group, was in zip(free, after, before, strict=True)
            if group != was
        }
    )


def group(
    catalog: Catalog, finder: FaceFinder, *, consent: bool, likeness: float, most: int | None = None
) -> tuple[FaceStore, dict[str, str]]:
    """Find and group the faces of a catalog, and say so in it."""
    if not catalog.images.count():
        raise InputError("The catalog holds no image.", expected="images", got="none", hint="lucida add FOLDER")
    store = agreed_store(catalog, finder, likeness, consent=consent)
    heed(catalog, store)
    skipped = look(catalog, store, finder, most)
    store.note({"likeness": str(likeness)})
    regroup(store, likeness)
    publish(catalog, store, finder.name, finder.revision)
    return store, skipped


def name_groups(catalog: Catalog, store: FaceStore, given: Sequence[str]) -> None:
    """Name groups, "3=Anna" each, and say so in the catalog.

    Raises:
        InputError: A name cannot be read.
        UnknownName: There is no such group.
    """
    heed(catalog, store)
    known = {face.group for face in store.faces(vectors=False)} - {0}
    names: dict[int, str] = {}
    for text in given:
        number, sign, name = text.partition("=")
        if not sign or not number.strip().isdigit():
            raise InputError(
                "A name cannot be read.", expected="NUMBER=NAME of a group", got=repr(text), hint='--name "3=Anna"'
            )
        if int(number) not in known:
            raise UnknownName("group", number.strip(), [str(one) for one in sorted(known)])
        names[int(number)] = name = " ".join(name.split())
        if name == UNKNOWN or labelled_group(name):
            raise InputError(
                f"{name!r} is what faces without a name are called.", expected="a name", got=repr(text), hint="another"
            )
    store.name(names)
    facts = store.facts()
    publish(catalog, store, facts.get("model", ""), facts.get("models", ""))


def forget(catalog: Catalog) -> tuple[bool, int]:
    """Erase faces, vectors, groups, names, and all that was said by them; return whether there was any, and runs."""
    runs = unsay(catalog)
    return FaceStore.erase(kept_at(catalog.path)), runs


def sizes(faces: Sequence[Face]) -> dict[int, list[Face]]:
    """Return the faces of each group, the largest first."""
    kept = [face for face in faces if face.group and face.said is None]
    counts = Counter(face.group for face in kept)
    found: dict[int, list[Face]] = {number: [] for number, _ in sorted(counts.items(), key=lambda p: (-p[1], p[0]))}
    for face in kept:
        found[face.group].append(face)
    return found


def since(store: FaceStore) -> str:
    """Return the day on which a person agreed."""
    return time.strftime("%Y-%m-%d", time.localtime(float(store.facts().get("since", "0"))))
