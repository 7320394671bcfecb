"""What `lucida clean` finds, that it reaches a review, and that what is said there comes back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from lucida.catalog import Annotation, Catalog, add
from lucida.clean.verb import clean
from lucida.cli import run
from lucida.errors import InputError, MissingExtra, UnknownName
from lucida.review.workflow import Review
from pictures import KINDS, picture, write_pictures


def scene(seed: int, side: int = 96) -> Image.Image:
    """Draw sharp noise at several scales: like no other picture, and never blurred."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 6, 3)).astype(np.uint8)).resize((side, side))
    fine = rng.integers(-60, 60, (side, side, 1))
    return Image.fromarray((np.asarray(coarse, np.int16) + fine).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _one_cache(shared_cache: Path, monkeypatch) -> None:
    """What the encoder measures of this machine serves all tests here."""
    monkeypatch.setenv("LUCIDA_CACHE", str(shared_cache))


@pytest.fixture
def no_encoder(monkeypatch) -> None:
    """Pixels alone find what these tests are about; the encoder takes seconds to load."""
    drawn = np.random.default_rng(0)
    monkeypatch.setattr(
        "lucida.clean.vectors.see_vectors", lambda readers: drawn.normal(size=(len(readers), 16)).astype(np.float32)
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve plain scenes, and one of each thing that can be wrong."""
    folder = tmp_path / "photos"
    (folder / "a").mkdir(parents=True)
    (folder / "b").mkdir()
    for i in range(12):
        scene(i).save(folder / "a" / f"plain {i}.png")
    poor = {
        "dark": scene(20).point(lambda v: v // 16),
        "bright": scene(21).point(lambda v: 235 + v // 16),
        "blurred": scene(22, 256).filter(ImageFilter.GaussianBlur(6)),
        "uniform": Image.new("RGB", (96, 96), (90, 120, 60)),
        "tiny": scene(23, 12),
        "long": scene(24, 400).crop((0, 0, 400, 40)),
    }
    for name, image in poor.items():
        image.save(folder / "b" / f"{name}.png")
    scene(3).save(folder / "b" / "near.jpg", quality=85)
    (folder / "b" / "copy.png").write_bytes((folder / "a" / "plain 5.png").read_bytes())
    return folder


EXPECTED = {
    "dark.png": "too dark",
    "bright.png": "too bright",
    "blurred.png": "blurred",
    "uniform.png": "nearly uniform",
    "tiny.png": "tiny",
    "long.png": "odd shape",
    "near.jpg": "near-duplicate",
    "copy.png": "duplicate",
}


def test_each_kind_is_found_and_nothing_else(photos: Path) -> None:
    found = clean(data=photos, mislabels="no").findings
    kinds = {(Path(one.path).name, one.kind) for one in found}
    assert set(EXPECTED.items()) <= kinds
    assert not [one for one in found if one.path.startswith("a/")]
    assert all(0.5 <= one.score <= 1 and one.reason for one in found)
    near = next(one for one in found if one.kind == "near-duplicate")
    assert "a/plain 3.png is labelled a, this one b" in near.reason


@pytest.mark.usefixtures("no_encoder")
def test_copies_across_splits_are_named_as_such(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "data" / split / "x").mkdir(parents=True)
    for i in range(4):
        scene(i).save(tmp_path / "data" / "train" / "x" / f"{i}.png")
        scene(i + 50).save(tmp_path / "data" / "test" / "x" / f"{i}.png")
    scene(2).save(tmp_path / "data" / "test" / "x" / "again.jpg", quality=80)
    found = clean(data=tmp_path / "data", mislabels="no").findings
    assert {(one.path, one.kind) for one in found} == {
        ("train/x/2.png", "across splits"),
        ("test/x/again.jpg", "across splits"),
    }


@pytest.mark.usefixtures("no_encoder")
def test_the_report_shows_the_images_and_runs_nothing(photos: Path, tmp_path: Path) -> None:
    scene(1).save(photos / "b" / "<script>.png")
    result = clean(data=photos, mislabels="no", out=tmp_path / "out")
    page = (tmp_path / "out" / "findings.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;.png" in page
    assert page.count("data:image/jpeg;base64,") == len(result.findings)
    rows = list(csv.DictReader((tmp_path / "out" / "findings.csv").open()))
    assert {(Path(row["path"]).name, row["kind"]) for row in rows} >= set(EXPECTED.items())


@pytest.mark.usefixtures("no_encoder")
def test_images_that_cannot_be_decoded_are_findings(photos: Path) -> None:
    whole = io.BytesIO()
    scene(99).save(whole, "PNG")
    (photos / "b" / "broken.png").write_bytes(whole.getvalue()[:2000])
    found = clean(data=photos, mislabels="no").findings
    assert ("b/broken.png", "unreadable") in {(one.path, one.kind) for one in found}


def test_findings_of_a_catalog_reach_a_review_with_their_reasons(photos: Path, tmp_path: Path, capsys) -> None:
    add([photos], catalog=tmp_path / "catalog")
    result = clean(catalog=tmp_path / "catalog")
    # The copy is the same image to a catalog.
    names = {Path(one.path).name for one in result.findings}
    assert names == EXPECTED.keys() - {"copy.png"}
    assert result.sent == {"clean": 7}
    assert "lucida review --question clean --teach 7" in str(result)
    with Catalog.open(tmp_path / "catalog") as catalog:
        session = Review.open(catalog, question="clean")
        shown, beside = {}, {}
        while (card := session.next()) is not None:
            shown[Path(card.path).name] = card.reason
            beside[Path(card.path).name] = Path(catalog.images.name(card.like)).name if card.like else ""
            session.answer(card.image, "right")
        assert shown.keys() == names
        assert "brightness of its bright parts" in shown["dark.png"]
        # What is nearly the same is shown beside it; what is dark is shown alone.
        alike = {name: other for name, other in beside.items() if other}
        assert alike.keys() == {name for name, kind in EXPECTED.items() if kind == "near-duplicate"}
        assert all(other in shown[name] for name, other in alike.items())
        today = catalog.annotations.current("clean", state="reviewed")
        assert len(today) == 7
        runs = len(catalog.runs.all())
    # The same findings are the same run.
    clean(catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as catalog:
        assert len(catalog.runs.all()) == runs
    capsys.readouterr()
    assert run(["clean", "--catalog", str(tmp_path / "catalog"), "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["counts"]["too dark"] == 1
    assert len(body["findings"]) == len(result.findings)


@pytest.mark.usefixtures("no_encoder")
def test_without_cleanlab_the_rest_is_done_and_asking_for_it_says_what_to_install(photos: Path, monkeypatch) -> None:
    monkeypatch.setattr("lucida.clean.mislabels.can_look", lambda: False)
    for i in range(40):
        scene(200 + i).save(photos / ("a" if i % 2 else "b") / f"more {i}.png")
    result = clean(data=photos)
    assert result.findings
    assert any("camera-lucida[clean]" in note for note in result.notes)
    with pytest.raises(MissingExtra, match="cleanlab"):
        clean(data=photos, mislabels="yes")


def test_an_empty_catalog_and_an_unknown_question_are_refused(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "catalog", create=True):
        pass
    with pytest.raises(InputError, match="holds no images"):
        clean(catalog=tmp_path / "catalog")
    with pytest.raises(UnknownName):
        clean(catalog=tmp_path / "catalog", question="colour")


def labelled_catalog(tmp_path: Path, wrong: int) -> tuple[Path, set[str]]:
    """Make a catalog whose people called the first disc pictures squares; return it and these images."""
    key = write_pictures(tmp_path / "photos", 16)
    add([tmp_path / "photos"], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as catalog:
        ids = catalog.images.ids()
        names = {image: Path(name).name for image, name in catalog.images.names(ids).items()}
        mistaken = set([image for image in ids if key[names[image]] == "disc"][:wrong])
        first = catalog.runs.start("label", question="kind", parameters={"classes": list(KINDS)}).id
        teach = catalog.runs.start("teach", question="kind", parent=first).id
        catalog.annotations.append(
            Annotation(
                image,
                "kind",
                teach,
                actor="me",
                sequence=number,
                kind="answer",
                label="square" if image in mistaken else key[names[image]],
                detail={"verdict": "wrong"},
            )
            for number, image in enumerate(ids)
        )
        catalog.runs.finish(first)
    return tmp_path / "catalog", mistaken


@pytest.mark.torch  # cleanlab is installed beside PyTorch
def test_wrong_labels_go_to_review_and_come_back_as_answers(tmp_path: Path) -> None:
    pytest.importorskip("cleanlab")
    place, mistaken = labelled_catalog(tmp_path, 3)
    result = clean(catalog=place, mislabels="yes")
    doubtful = [one for one in result.findings if one.kind == "wrong label"]
    # How many of the three are seen depends on which pictures count as alike, and so on how they are divided.
    assert doubtful
    assert {one.image for one in doubtful} <= mistaken
    assert {one.suggestion for one in doubtful} == {"disc"}
    assert result.sent["clean:kind"] == len(doubtful)
    with Catalog.open(place) as catalog:
        session = Review.open(catalog, question="clean:kind", reviewer="me")
        card = session.next()
        assert card is not None
        assert card.proposal == "disc"
        assert "labelled square" in card.reason
        session.answer(card.image, "right")
    again = clean(catalog=place, mislabels="yes")
    assert again.taken == 1
    with Catalog.open(place) as catalog:
        today = {one.image: one.label for one in catalog.annotations.current("kind")}
        assert today[card.image] == "disc"
    assert len([one for one in again.findings if one.kind == "wrong label"]) == 1
    assert clean(catalog=place, mislabels="no").taken == 0


@pytest.mark.torch
def test_planted_mistakes_in_a_folder_come_first(tmp_path: Path) -> None:
    pytest.importorskip("cleanlab")
    write_pictures(tmp_path / "data", 14, by_class=True)
    for seed in (900, 901):
        picture("stripes", seed).save(tmp_path / "data" / "square" / f"planted {seed}.png")
    doubtful = [one for one in clean(data=tmp_path / "data", mislabels="yes").findings if one.kind == "wrong label"]
    assert {one.path for one in doubtful[:2]} == {"square/planted 900.png", "square/planted 901.png"}
