"""Which labels are exported: every labelled image is in `labels.csv`, and some are laid out as images."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from lucida.errors import InputError, UnknownName
from lucida.export import names

if TYPE_CHECKING:
    from lucida.catalog import Annotation, Catalog
    from lucida.export.proof import Proof

Include = Literal["proposed", "accepted", "reviewed", "kept"]
# For each choice, the states that are laid out; "kept" asks for the certified set instead.
STATES: dict[str, tuple[str, ...]] = {
    "proposed": ("reviewed", "accepted", "proposed"),
    "accepted": ("reviewed", "accepted"),
    "reviewed": ("reviewed",),
    "kept": ("reviewed", "accepted"),
}


@dataclass(frozen=True)
class Row:
    """One labelled image.

    Attributes:
        image: Content id.
        path: Path as given to `add`.
        label: Today's answer.
        score: The model's score for its proposal; None when only a person has said anything.
        state: reviewed, accepted or proposed.
        kept: Whether it is in the certified set.
        run: The run that said it.
        disagreement: Whether people gave different answers.
        file: A safe file name for it, set for the images that are laid out.
        split: Its split; "" without splits.
    """

    image: str
    path: str
    label: str
    score: float | None
    state: str
    kept: bool
    run: str
    disagreement: bool
    file: str = ""
    split: str = ""


def question_of(catalog: Catalog, question: str | None) -> str:
    """Return the question to export: the one named, else the latest.

    Raises:
        UnknownName: Nobody has asked this question.
        InputError: There are no images, or no labels.
    """
    known = catalog.annotations.questions()
    if question is not None and question not in known and known:
        raise UnknownName("question", question, known)
    if not known:
        if catalog.images.count() == 0:
            raise InputError(
                "The catalog holds no images.",
                expected="images that are labelled",
                got=f"an empty catalog at {str(catalog.path)!r}",
                hint="lucida add photos/",
            )
        raise InputError(
            "Nothing is labelled yet.",
            expected="at least one labelled image",
            got=f"{catalog.images.count():,} images without a label",
            hint="lucida label --examples examples/   or   lucida label --classes 'dress,hat,shoes'",
        )
    if question is not None:
        return question
    cleaning = catalog.runs.cleaning()
    return next((name for name in known if name not in cleaning), known[0])


def default(proof: Proof) -> Include:
    """Return what is laid out unless asked otherwise.

    Once a review has ended, that is what it stands behind: the labels that a person gave or that the certificate
    accepts. Before, there is nothing but proposals, so all of them.
    """
    return "accepted" if proof.state == "valid" else "proposed"


def included(rows: list[Row], include: Include) -> list[Row]:
    """Return the rows that are laid out as images.

    Raises:
        InputError: There are none.
    """
    if include not in STATES:
        raise UnknownName("choice of --include", include, STATES)
    found = [row for row in rows if row.state in STATES[include] and (row.kept or include != "kept")]
    if not found:
        states = Counter(row.state for row in rows)
        raise InputError(
            "No image is in the state that is to be laid out.",
            expected=f"at least one image that is {include}",
            got=", ".join(f"{count:,} {state}" for state, count in states.items()) or "no labelled image",
            hint="--include proposed lays out every labelled image; --format csv writes all labels",
        )
    return found


def rows_of(catalog: Catalog, question: str, proof: Proof) -> list[Row]:
    """Return every labelled image, in the order of adding.

    Only the certificate that goes with the export counts: what an earlier review of the same labels kept beyond it is
    proposed again, since a promise holds for one set.
    """
    # Without a label are those of which people only said what they are not.
    current = [row for row in catalog.annotations.current(question) if row.label is not None]
    paths = catalog.images.names([row.image for row in current])
    certified = proof.kept()
    rows = []
    for row in current:
        kept = row.kept and row.image in certified
        rows.append(
            Row(
                image=row.image,
                path=paths[row.image],
                label=str(row.label),
                score=None if row.score is None else float(row.score),
                state="proposed" if row.state == "accepted" and not kept else row.state,
                kept=kept,
                run=row.run,
                disagreement=row.disagreement,
            )
        )
    return rows


def named(catalog: Catalog, rows: list[Row]) -> list[Row]:
    """Return the rows with a safe file name each; only names without an image ending need a look at the record."""

    def kind(image: str) -> str:
        return catalog.images.get(image).format

    return [replace(row, file=names.file_name(row.path, partial(kind, row.image))) for row in rows]


def mean_bytes(catalog: Catalog, rows: list[Row], *, sample: int = 200) -> int:
    """Return about how large an image file is, from some of them spread over all; 0 for no rows."""
    some = rows[:: max(1, len(rows) // sample)]
    return sum(catalog.images.get(row.image).bytes for row in some) // max(1, len(some))


def answers_of(catalog: Catalog, question: str) -> list[Annotation]:
    """Return what people said of the question and did not take back, and the labels that came with examples."""
    found: dict[tuple[str, str, int], Annotation] = {}
    for row in catalog.annotations.rows(question=question, kind="answer"):
        found[row.run, row.actor, row.sequence] = row
    for row in catalog.annotations.rows(question=question, kind="undo"):
        found.pop((row.run, row.actor, int(row.detail["sequence"])), None)
    return [*found.values(), *catalog.annotations.rows(question=question, kind="taught")]
