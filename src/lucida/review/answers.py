"""Answers from a file instead of a person: for scripts and tests."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from lucida.errors import InputError
from lucida.progress import track

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.review.cards import Card
    from lucida.review.workflow import Review

COLUMNS = ("path", "label")


def read_answers(path: Path, catalog: Catalog) -> dict[str, str]:
    """Read a CSV with the columns path and label; returns labels by content id.

    Args:
        path: The file. `path` in it is the path as given to `add`, an absolute path, or a file name.
        catalog: Where the images are looked up.

    Raises:
        InputError: If the file is missing or has other columns, if a path is unknown or stands for several
            images, or if two rows contradict each other.
    """
    rows = _rows(path)
    found = catalog.images.resolve_all([name for name, _ in rows])
    unknown = [name for name, _ in rows if not found.get(name)]
    if unknown:
        raise InputError(
            f"{path} has answers for {len(unknown):,} paths that are not in the catalog.",
            expected="paths as given to `lucida add`, or file names of images in it",
            got=", ".join(map(repr, unknown[:3])) + (" …" if len(unknown) > 3 else ""),
            hint="lucida add the images first, or take these rows out",
        )
    answers: dict[str, str] = {}
    for name, label in rows:
        if len(found[name]) > 1:
            raise InputError(
                f"{name!r} in {path} stands for {len(found[name])} different images.",
                expected="a path that names one image",
                got="a file name that several folders have",
                hint="write the path as it was given to `lucida add`",
            )
        image = found[name][0]
        if answers.setdefault(image, label) != label:
            raise InputError(
                f"{path} gives two labels to the same image.",
                expected="one label an image",
                got=f"{answers[image]!r} and {label!r} for {name!r}",
                hint="the same bytes at two paths are one image: keep one of the rows",
            )
    return answers


def _rows(path: Path) -> list[tuple[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or ()
            if not set(COLUMNS) <= set(header):
                raise InputError(
                    f"{path} is not an answers file.",
                    expected="a CSV with the columns path,label",
                    got=f"the columns {', '.join(header) or '(none)'}",
                    hint="write path,label as the first line",
                )
            return [(row["path"], (row["label"] or "").strip()) for row in reader if row["path"]]
    except OSError as error:
        raise InputError(
            f"The answers file {path} cannot be read.",
            expected="a CSV with the columns path,label",
            got=error.strerror or str(error),
            hint="check the path given to --answers",
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not a text file in UTF-8.",
            expected="a CSV in UTF-8 with the columns path,label",
            got=f"bytes that are not UTF-8 at position {error.start}",
            hint="save it as CSV UTF-8",
        ) from error


def check_labels(answers: dict[str, str], classes: list[str], path: Path) -> None:
    """Refuse answers that have no class in common with the question: they answer another one."""
    given = {label for label in answers.values() if label}
    if given and not given & set(classes):
        raise InputError(
            f"No label in {path} is a class of this question.",
            expected=f"labels such as {', '.join(map(repr, classes[:6]))}",
            got=", ".join(map(repr, sorted(given)[:6])),
            hint="use the same names as the classes, or name the right --question",
        )


def answer_all(review: Review, answers: dict[str, str], *, teach: int) -> None:
    """Answer a whole review: first up to `teach` answers to teach with, then the check.

    Args:
        review: The review, in any phase; it goes on where it stands.
        answers: Labels by content id.
        teach: Answers in the teach phase, those of earlier calls counted.

    Raises:
        PopulationTooSmall: If the review refuses a check that cannot pay.
    """
    if review.phase == "teach":
        with track("Teaching", teach, unit="answers", done=review.status().answers) as step:
            while review.status().answers < teach and (card := review.next()) is not None:
                answer_from(answers, review, card)
                step()
        review.freeze()
    with track("Checking", None, unit="answers") as step:
        while (card := review.next()) is not None:
            answer_from(answers, review, card)
            step()


def answer_from(answers: dict[str, str], review: Review, card: Card) -> None:
    """Answer one card from the file; an image it does not know, or an empty label, is "unsure"."""
    label = answers.get(card.image) or None
    if label is None:
        review.answer(card.image, "unsure")
    elif label == card.proposal:
        review.answer(card.image, "right")
    else:
        review.answer(card.image, "wrong", label)
