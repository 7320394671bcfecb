"""`lucida generate`: what it writes, keeps, goes on with, and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lucida.catalog import Catalog
from lucida.cli import run
from lucida.errors import ImageError, InputError, ModelError, UnknownName
from lucida.generate import generate, records
from lucida.generate.writing import story_of


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Pillow.open(path))


def test_exactly_n_pictures_are_written_each_with_its_seed(toy, tmp_path):
    done = generate("a red bicycle", number=5, seed=7, out=tmp_path / "out", catalog=tmp_path / "c")

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(one.path.name for one in done.images)
    assert len(done.images) == 5
    assert [one.seed for one in done.images] == [7, 8, 9, 10, 11]
    assert done.images[0].path.name == "a-red-bicycle-7.png"
    assert [len(seeds) for _, seeds in toy.asked] == [4, 1]


def test_a_picture_is_the_same_alone_and_among_others(toy, tmp_path):
    many = generate("x", number=4, out=tmp_path / "many", catalog=tmp_path / "c")
    alone = generate("x", seed=2, out=tmp_path / "one", catalog=tmp_path / "other")

    assert alone.images[0].path.read_bytes() == many.images[2].path.read_bytes()


def test_the_same_call_again_draws_nothing_and_more_only_what_is_missing(toy, tmp_path):
    generate("x", number=2, out=tmp_path / "out", catalog=tmp_path / "c")
    toy.asked.clear()

    more = generate("x", number=3, out=tmp_path / "out", catalog=tmp_path / "c")

    assert [seeds for _, seeds in toy.asked] == [[2]]
    assert [one.known for one in more.images] == [True, True, False]
    assert len(list((tmp_path / "out").iterdir())) == 3
    assert "drawn before" in str(more)


def test_what_was_stopped_goes_on_and_no_file_is_there_twice(toy, tmp_path):
    from lucida.generate import generator

    keep = records.keep

    def stopped(catalog, run, path, *rest):
        if path.name.endswith("-1.png"):
            raise KeyboardInterrupt
        return keep(catalog, run, path, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator.records, "keep", stopped)
        with pytest.raises(KeyboardInterrupt):
            generate("x", number=3, out=tmp_path / "out", catalog=tmp_path / "c")
    done = generate("x", number=3, out=tmp_path / "out", catalog=tmp_path / "c")

    assert [one.known for one in done.images] == [True, False, False]
    # The second was written, but not in the catalog yet: it is not written under another name.
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_other_requests_of_the_same_words_leave_files_alone(toy, tmp_path):
    first = generate("x", out=tmp_path / "out", catalog=tmp_path / "c")
    before = first.images[0].path.read_bytes()
    second = generate("x", steps=9, out=tmp_path / "out", catalog=tmp_path / "c")

    assert first.images[0].path.read_bytes() == before
    assert second.images[0].path != first.images[0].path


def test_a_file_and_the_catalog_know_how_a_picture_was_made(toy, tmp_path):
    done = generate("rote Tür", negative="blau", steps=3, out=tmp_path / "a.png", catalog=tmp_path / "c")

    story = story_of((tmp_path / "a.png").read_bytes())
    assert story["request"] == {"prompt": "rote Tür", "negative": "blau", "steps": 3}
    assert (story["model"], story["seed"]) == ("embedded-generator", 0)
    assert b"trainedAlgorithmicMedia" in (tmp_path / "a.png").read_bytes()
    with Catalog.open(tmp_path / "c") as catalog:
        assert records.story(catalog, done.images[0].id[:10])["request"] == story["request"]
        assert [hit.image for hit in catalog.text.search("rote Tür")] == [done.images[0].id]
        (past,) = records.history(catalog)
        assert (past.count, past.images) == (1, [(done.images[0].id, 0)])
        records.rate(catalog, done.images[0].id, 2, "ann")
        records.rate(catalog, done.images[0].id, 4, "ann")
        assert records.ratings(catalog, [done.images[0].id]) == {done.images[0].id: 4}
        records.rate(catalog, done.images[0].id, 0, "ann")
        assert records.ratings(catalog, [done.images[0].id]) == {}
        records.rate(catalog, done.images[0].id, 3, "ann")
        assert records.ratings(catalog, [done.images[0].id]) == {done.images[0].id: 3}


def test_what_was_asked_comes_in_order_of_the_latest_picture(toy, tmp_path):
    for prompt, number in (("first", 1), ("second", 1), ("first", 2)):
        generate(prompt, number=number, catalog=tmp_path / "c")
    with Catalog.open(tmp_path / "c") as catalog:
        pasts = records.history(catalog, shown=1)
    assert [(past.request["prompt"], past.count, len(past.images)) for past in pasts] == [
        ("first", 2, 1),
        ("second", 1, 1),
    ]


def test_without_metadata_only_that_it_is_synthetic_stands_in_the_file(toy, tmp_path):
    generate("secret words", metadata="marked", out=tmp_path / "a.png", catalog=tmp_path / "c")

    data = (tmp_path / "a.png").read_bytes()
    assert b"secret" not in data
    assert b"trainedAlgorithmicMedia" in data
    with pytest.raises(InputError, match="does not say"):
        story_of(data)


@pytest.mark.parametrize("by", ["file", "id"])
def test_again_draws_the_same_picture_or_changes_a_part(toy, tmp_path, picture, by):
    photo = picture("photo.png", 64, 48)
    first = generate("x", seed=3, image=photo, strength=0.5, out=tmp_path / "a.png", catalog=tmp_path / "c")
    again = str(tmp_path / "a.png") if by == "file" else first.images[0].id

    same = generate(again=again, out=tmp_path / "b.png", catalog=tmp_path / "c")
    other = generate(again=again, steps=9, out=tmp_path / "d.png", catalog=tmp_path / "c")

    assert same.images[0].path.read_bytes() == first.images[0].path.read_bytes()
    assert toy.asked[-1][0].steps == 9
    assert toy.asked[-1][0].strength == 0.5
    assert other.images[0].seed == 3


def test_again_says_when_the_image_of_a_request_is_gone(toy, tmp_path, picture):
    photo = picture("photo.png", 64, 48)
    generate("x", image=photo, out=tmp_path / "a.png", catalog=tmp_path / "c")
    photo.unlink()

    with pytest.raises(InputError, match="not there any more"):
        generate(again=str(tmp_path / "a.png"), catalog=tmp_path / "c")


def test_a_masked_edit_leaves_the_rest_byte_for_byte(toy, tmp_path, picture):
    photo, mask = picture("room.png", 300, 200), np.zeros((200, 300), np.uint8)
    mask[50:90, 100:180] = 255
    Pillow.fromarray(mask).save(tmp_path / "mask.png")

    done = generate("x", image=photo, mask=tmp_path / "mask.png", out=tmp_path / "o.png", catalog=tmp_path / "c")

    found, before = pixels(done.images[0].path), pixels(photo)
    assert found.shape == before.shape
    assert (found[mask == 0] == before[mask == 0]).all()
    assert (found[60:80, 110:170] != before[60:80, 110:170]).mean() > 0.9
    request = toy.asked[0][0]
    assert request.image.size == request.mask.size == request.size
    assert request.strength == 1.0
    assert b"compositeWithTrainedAlgorithmicMedia" in done.images[0].path.read_bytes()


def test_no_memory_halves_the_batch_and_goes_on(toy, tmp_path):
    toy.fails_above = 1
    done = generate("x", number=3, catalog=tmp_path / "c")

    assert len(done.images) == 3
    assert "Memory did not suffice" in "".join(done.notes)
    toy.fails_above = 0
    with pytest.raises(ModelError, match="no memory"):
        generate("y", catalog=tmp_path / "c")


def test_values_that_are_no_numbers_are_an_error_not_a_black_picture(toy, tmp_path):
    toy.broken = True
    with pytest.raises(ModelError, match="no numbers"):
        generate("x", out=tmp_path / "out", catalog=tmp_path / "c")
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_terms_are_said_before_the_first_picture_only(toy, tmp_path, capsys):
    first = generate("x", catalog=tmp_path / "c")
    assert "For tests only." in first.terms
    assert "For tests only." in capsys.readouterr().err
    assert generate("y", catalog=tmp_path / "c").terms == ""


def test_what_the_model_does_not_read_is_said(toy, tmp_path):
    assert "Only the first ten letters" in generate("a prompt of many letters", catalog=tmp_path / "c").notes[0]


def test_the_command_prints_one_object(toy, tmp_path, capsys):
    code = run(["generate", "a dog", "-n", "2", "--size", "32", "16", "-o", str(tmp_path / "o"), "--catalog",
                str(tmp_path / "c"), "--json"])  # fmt: skip

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [one["size"] for one in found["images"]] == [[32, 16], [32, 16]]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"number": 0}, InputError, "-n of at least 1"),
        ({"steps": -3}, InputError, "1 to 50"),
        ({"steps": 51}, InputError, "1 to 50"),
        ({"guidance": float("nan")}, InputError, "0 to 100"),
        ({"strength": 0.0}, InputError, "above 0"),
        ({"sampler": "hein"}, UnknownName, "heun"),
        ({"size": (70, 48)}, InputError, "--size 72 48, the nearest"),
        ({"size": (4000, 4000)}, InputError, "--size 128 128"),
        ({"size": (-8, 8)}, InputError, "cannot draw"),
        ({"seed": -1}, InputError, "whole number from 0"),
        ({"control": "canny"}, InputError, "nothing to take canny from"),
        ({"control": "cany"}, UnknownName, "canny"),
        ({"model": "nothing-like-it"}, UnknownName, "Unknown model"),
        ({"lora": ["no.safetensors"]}, ModelError, "cannot take LoRAs"),
        ({"lora": ["a.safetensors=much"]}, InputError, "no number"),
        ({"out": Path("a.jpg")}, InputError, "PNG"),
        ({"out": Path("a.png"), "number": 2}, InputError, "one file"),
    ],
)
def test_what_cannot_be_is_refused_in_words(toy, tmp_path, options, error, words):
    with pytest.raises(error) as caught:
        generate("x", catalog=tmp_path / "c", **options)
    assert words in str(caught.value)
    assert not toy.asked


def test_nothing_asked_is_refused(toy, tmp_path):
    with pytest.raises(InputError, match="Nothing is asked"):
        generate(catalog=tmp_path / "c")


def test_images_that_do_not_fit_are_refused(toy, tmp_path, picture):
    photo = picture("photo.png", 64, 48)
    for options, words in (
        ({"mask": photo}, "A mask needs an image"),
        ({"image": photo, "mask": picture("m.png", 60, 48, 255)}, "not of the size"),
        ({"image": photo, "mask": picture("n.png", 64, 48, 0)}, "covers nothing"),
        ({"image": photo, "control": "depth"}, "cannot follow depth"),
        ({"control_image": photo}, "--control canny"),
        ({"image": photo, "control": "canny", "control_image": picture("c.png", 48, 48)}, "another shape"),
        ({"reference": photo}, "cannot take the style"),
    ):
        with pytest.raises((InputError, ModelError), match=words):
            generate("x", catalog=tmp_path / "c", **options)
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(photo.read_bytes()[:200])
    with pytest.raises(ImageError):
        generate("x", image=damaged, catalog=tmp_path / "c")
    pickle = tmp_path / "style.ckpt"
    pickle.write_bytes(b"\x80\x02")
    assert not toy.asked


def test_lora_files_in_pickle_are_refused(toy, able, tmp_path):
    able(loras=True)
    pickle = tmp_path / "style.ckpt"
    pickle.write_bytes(b"\x80\x02")
    with pytest.raises(InputError, match="may hold pickle"):
        generate("x", lora=[str(pickle)], catalog=tmp_path / "c")
    with pytest.raises(InputError, match="no such file"):
        generate("x", lora=["no.safetensors=0.5"], catalog=tmp_path / "c")


def test_a_lora_is_called_by_the_training_that_taught_it(toy, able, tmp_path):
    able(loras=True)
    generate("x", catalog=tmp_path / "c")
    file = tmp_path / "c" / "runs" / "train-1" / "model" / "pytorch_lora_weights.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(8))
    generate("x", lora=["train-1=0.5"], catalog=tmp_path / "c")
    assert [(one.file, one.weight) for one in toy.asked[-1][0].loras] == [(file, 0.5)]


def test_a_revision_that_is_only_known_when_loaded_is_the_one_of_the_run(toy, tmp_path, monkeypatch):
    from dataclasses import replace

    from generate.conftest import Family

    told = Family.spec

    def unknown(self, name, home=None):
        spec = told(self, name, home)
        return replace(spec, revision="latest", build=lambda spec, *rest: toy(told(self, name, home)))

    monkeypatch.setattr(Family, "spec", unknown)
    first = generate("x", number=2, out=tmp_path / "out", catalog=tmp_path / "c")
    monkeypatch.setattr(Family, "spec", told)
    again = generate("x", number=2, out=tmp_path / "out", catalog=tmp_path / "c")

    assert first.run == again.run
    assert [one.known for one in again.images] == [True, True]
    assert story_of(first.images[0].path.read_bytes())["revision"] == "1"


@pytest.mark.parametrize(("options", "strength"), [({}, 0.7), ({"control": "scribble"}, 1.0)])
def test_what_an_image_is_used_for_decides_how_strongly_it_counts(toy, tmp_path, picture, options, strength):
    generate("x", image=picture("photo.png", 64, 48), catalog=tmp_path / "c", **options)

    assert toy.asked[0][0].strength == strength
