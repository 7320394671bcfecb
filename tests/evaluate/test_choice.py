"""Which images judge a model: never those that it may have learned from."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucida.data import read_data
from lucida.data.division import divide, see_samples
from lucida.errors import InputError
from lucida.evaluate.choice import _digest, divided, images_of, part_of
from pictures import write_pictures
from told_models import model, sample, samples


@pytest.mark.parametrize(
    ("splits", "asked", "wanted"),
    [
        (("train", "validation", "test"), None, "test"),
        (("train", "validation", "test"), "validation", "validation"),
        (("train", "validation"), None, "validation"),
        (("", ""), None, ""),
    ],
)
def test_the_strictest_part_judges(splits: tuple[str, ...], asked: str | None, wanted: str) -> None:
    data = samples("classify", ("cat",), [sample(n, "cat", split=split) for n, split in enumerate(splits)])
    found = part_of(data, asked)
    assert set(found.splits) == {wanted}
    assert bool(found.notes) == bool(wanted)


@pytest.mark.parametrize("asked", [None, "test"])
def test_a_training_part_judges_nothing(asked: str | None) -> None:
    data = samples("classify", ("cat",), [sample(1, "cat", split="train")])
    with pytest.raises(InputError, match="may learn from"):
        part_of(data, asked)


def test_a_model_of_no_training_needs_data() -> None:
    with pytest.raises(InputError, match="--data PLACE"):
        images_of(model("classify", ("cat",), lambda n: [1.0]), "classify", None, None, None)


def test_a_division_that_training_made_is_made_again_and_changes_are_said(tmp_path: Path) -> None:
    write_pictures(tmp_path, 12, by_class=True)
    data = read_data(tmp_path, "classify")
    seen = see_samples(data)
    digest = _digest(divide(data, seen=seen), seen)
    again = divided(data, {"digest": digest})
    assert again.splits["validation"] > 0
    assert not any("changed since" in note for note in again.notes)
    write_pictures(tmp_path, 1, first_seed=900, by_class=True)
    more = divided(read_data(tmp_path, "classify"), {"digest": digest})
    assert any("changed since" in note for note in more.notes)


def test_the_digest_is_the_one_that_training_notes(tmp_path: Path) -> None:
    from lucida.train.parts import parts

    write_pictures(tmp_path, 12, by_class=True)
    data = read_data(tmp_path, "classify")
    seen = see_samples(data)
    assert _digest(divide(data, seen=seen), seen) == parts(data).digest()
