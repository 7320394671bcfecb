"""Divisions keep likes together and come out the same; what a model is judged on is never learned from."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from lucida.data import Boxes, Mask, Sample, Samples
from lucida.data.division import divide, training_part
from lucida.data.splits import parse
from lucida.errors import ImageError, InputError
from pictures import KINDS, picture


def encoded(kind: str, seed: int, *, quality: int | None = None) -> bytes:
    out = io.BytesIO()
    drawn = picture(kind, seed)
    drawn.save(out, "PNG") if quality is None else drawn.save(out, "JPEG", quality=quality)
    return out.getvalue()


def noise(seed: int) -> bytes:
    """Return a picture that is like no other."""
    out = io.BytesIO()
    small = np.random.default_rng(seed).integers(0, 255, (6, 6, 3)).astype(np.uint8)
    Image.fromarray(small).resize((48, 48), Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


def samples(count: int, split: str = "") -> Samples:
    items = [Sample(f"{i}.png", partial(noise, i), KINDS[i % 3], split) for i in range(count)]
    return Samples("classify", KINDS, tuple(items), "here")


def test_shares_and_classes_are_kept() -> None:
    found = divide(samples(60))
    assert found.splits == {"train": 51, "validation": 9}
    assert Counter(s.target for s in found.of("validation")) == dict.fromkeys(KINDS, 3)
    three = divide(samples(60), parse("train=0.8,validation=0.1,test=0.1"))
    assert three.splits == {"train": 48, "validation": 6, "test": 6}
    assert found.notes == ("Divided: train 51, validation 9.",)


def test_the_order_does_not_matter_and_the_seed_does() -> None:
    every = samples(40)
    first = {s.name: s.split for s in divide(every)}
    back = replace(every, items=every.items[::-1])
    assert {s.name: s.split for s in divide(back)} == first
    assert {s.name: s.split for s in divide(every, seed=1)} != first


def test_near_identical_images_stay_together() -> None:
    likes = [Sample(f"q{q}.jpg", partial(encoded, "disc", 1, quality=q), "disc") for q in range(60, 100)]
    every = samples(40)
    found = divide(replace(every, items=(*every.items, *likes)))
    assert len({s.split for s in found if s.name.startswith("q")}) == 1
    assert "40 near-identical images stay with each other" in found.notes[-1]


def test_given_splits_stay_and_what_is_like_a_test_image_joins_it() -> None:
    every = samples(20)
    test = Sample("test.png", partial(encoded, "disc", 7), "disc", "test")
    like = Sample("like.jpg", partial(encoded, "disc", 7, quality=80), "disc")
    found = divide(replace(every, items=(test, like, *every.items)))
    assert [s.split for s in found][:2] == ["test", "test"]
    assert found.splits == {"test": 2, "train": 17, "validation": 3}


def test_a_training_split_alone_gives_some_to_validation() -> None:
    every = samples(40, "train")
    found = divide(every)
    assert found.splits == {"train": 34, "validation": 6}
    assert "no validation split" in found.notes[0]
    assert divide(found) is found


def test_a_given_validation_split_gets_no_more() -> None:
    every = samples(20)
    held = tuple(
        replace(s, split="validation", name=f"v{s.name}", read=partial(noise, 100 + i)) for i, s in enumerate(every)
    )
    assert divide(replace(every, items=(*every.items, *held))).splits == {"train": 20, "validation": 20}


def test_boxes_and_masks_are_spread_by_their_rarest_class() -> None:
    def mask(value: int) -> bytes:
        out = io.BytesIO()
        Image.fromarray(np.array([[0, value]], np.uint8)).save(out, "PNG")
        return out.getvalue()

    values = {0: "background", 1: "crack", 2: "hole"}
    for task, target in (
        ("detect", lambda i: Boxes(np.zeros((2, 4), np.float32), ("a", "b" if i % 10 == 0 else "a"))),
        ("segment", lambda i: Mask(partial(mask, 2 if i % 10 == 0 else 1), values)),
    ):
        items = [Sample(f"{i}", partial(noise, i), target(i)) for i in range(40)]
        found = divide(Samples(task, ("a", "b"), tuple(items), "here"), parse("train=0.75,validation=0.25"))
        rare = [int(s.name) % 10 == 0 for s in found.of("validation")]
        assert rare.count(True) == 1


def test_images_that_cannot_be_read_do_not_stop_it() -> None:
    def fail() -> bytes:
        raise ImageError("gone")

    every = samples(10)
    broken = (Sample("gone.png", fail, "disc"), Sample("empty.png", lambda: b"", "disc"))
    assert all(s.split for s in divide(replace(every, items=(*every.items, *broken))))


def test_a_test_split_is_never_trained_on() -> None:
    with pytest.raises(InputError, match="never trained on"):
        training_part(samples(5, "test"))
    with pytest.raises(InputError, match="no training split"):
        training_part(samples(5, "validation"))
    assert len(training_part(samples(5))) == 5


def test_what_is_judged_on_is_left_out_of_training() -> None:
    every = divide(samples(30))
    held = every.of("validation")[0]
    leaks = (
        replace(held, name="same.png", split="train"),
        Sample("one.png", partial(encoded, "disc", 3), "disc", "test"),
        Sample("like.jpg", partial(encoded, "disc", 3, quality=70), "disc", "train"),
    )
    whole = replace(every, items=(*every.items, *leaks))
    part = training_part(whole)
    assert part.splits == {"train": every.splits["train"]}
    assert part.notes[-2].startswith(
        "Identical to an image of the validation or test split: 1 of the training split left"
    )
    assert part.notes[-1].startswith("Near-identical to an image of the validation or test split: 1 of")
    told = training_part(whole, near=False)
    assert [s.name for s in told if s.name.endswith(".jpg")] == ["like.jpg"]
    assert "not left out (the first: like.jpg)" in told.notes[-1]
