"""Faces of an album: grouped by consent, named, found, hidden, erased. Red squares play the faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lucida.catalog import Annotation, Catalog
from lucida.catalog.verb import add
from lucida.errors import InputError, ModelError, UnknownName
from lucida.faces.saying import runs_of
from lucida.faces.store import FaceStore, kept_at
from lucida.faces.verb import faces
from lucida.models.opencv_zoo import files
from lucida.models.opencv_zoo.known import SFACE, YUNET
from lucida.screen.verb import screen
from lucida.search.filters import meeting
from models.tiny_zoo import write_red_finder, write_sface

# Green and blue of the left and right half of a face: so are people told apart.
ANNA, BEN, CARL = ((230, 10), (230, 10)), ((10, 230), (10, 230)), ((230, 230), (10, 10))


def face(who, seed: int) -> np.ndarray:
    pixels = np.zeros((32, 32, 3))
    pixels[:, :, 0] = 250
    for half, colour in zip((slice(0, 16), slice(16, 32)), who, strict=True):
        pixels[:, half, 1:] = colour
    return (pixels + np.random.default_rng(seed).normal(0, 3, pixels.shape)).clip(0, 255)


def album(folder: Path, shown: dict[str, list]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, (name, people) in enumerate(shown.items()):
        pixels = np.zeros((128, 128, 3))
        pixels[:, :, 1] = np.random.default_rng(100 + number).integers(0, 60, (128, 128))
        for place, who in enumerate(people):
            pixels[32:64, 32 * place : 32 * place + 32] = face(who, 10 * number + place)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    write_red_finder(folder / "opencv_zoo" / YUNET.file)
    write_sface(folder / "opencv_zoo" / SFACE.file)
    return folder


@pytest.fixture
def home(tmp_path, weights, monkeypatch) -> Path:
    monkeypatch.setenv("LUCIDA_CACHE", str(weights))
    shown = {"1.png": [ANNA, BEN], "2.png": [BEN], "3.png": [ANNA], "4.png": [], "5.png": [CARL, ANNA, BEN]}
    add(album(tmp_path / "photos", shown), catalog=tmp_path / "catalog")
    return tmp_path / "catalog"


def named(home: Path) -> dict[str, list[str]]:
    with Catalog.open(home) as opened:
        paths = opened.images.names(opened.images.ids())
        found: dict[str, list[str]] = {Path(path).name: [] for path in paths.values()}
        for image, label in opened.annotations.objects("person"):
            found[Path(paths[image]).name].append(label)
        return found


def whose(home: Path, where: str) -> list[str]:
    with Catalog.open(home) as opened:
        found = meeting(opened, [where]) or []
        return sorted(Path(name).name for name in opened.images.names(found).values())


def test_nothing_is_kept_without_consent(home) -> None:
    with pytest.raises(InputError, match="needs your consent") as caught:
        faces(group=True, catalog=home)
    assert "biometric" in caught.value.expected
    assert "--forget" in caught.value.hint
    assert not kept_at(home).parent.exists()
    with pytest.raises(InputError, match="No faces are kept"):
        faces(catalog=home)
    assert str(faces(forget=True, catalog=home)).startswith("No faces were kept")
    with Catalog.open(home) as opened:
        assert not runs_of(opened)


def test_without_weights_nothing_begins(home, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(files, "at_hand", lambda known, revision=None: None)
    with pytest.raises(ModelError, match="ships in this package"):
        faces(group=True, consent=True, catalog=home)
    assert not kept_at(home).parent.exists()


def test_groups_are_named_searched_and_kept_when_more_is_added(home, tmp_path) -> None:
    result = faces(group=True, consent=True, catalog=home)
    assert (result.images, result.faces, result.alone) == (5, 7, 1)
    assert [(one.faces, one.images) for one in result.groups] == [(3, 3), (3, 3)]
    assert result.since
    labels = named(home)
    (anna,) = labels["3.png"]
    (ben,) = labels["2.png"]
    assert labels == {
        "1.png": [anna, ben],
        "2.png": [ben],
        "3.png": [anna],
        "4.png": [],
        "5.png": ["unknown", anna, ben],
    }
    number = anna.removeprefix("group ")

    sheets = faces(out=tmp_path / "sheets", catalog=home)
    assert len(sheets.written) == 2
    assert Image.open(sheets.written[0]).size == (3 * 112, 112)

    after = faces(name=[f"{number}=Anna  Ada"], catalog=home)
    assert {one.name for one in after.groups} == {"Anna Ada", ""}
    assert whose(home, "person=Anna Ada") == ["1.png", "3.png", "5.png"]
    with Catalog.open(home) as opened:
        assert len(runs_of(opened)) == 1, "what does not hold any more is not kept"
        assert [hit.excerpt for hit in opened.text.search("ada", 1)] != []

    add(album(tmp_path / "more", {"6.png": [ANNA], "7.png": [CARL]}), catalog=home)
    again = faces(group=True, catalog=home)
    assert (again.faces, again.alone, len(again.groups)) == (9, 0, 3)
    assert whose(home, "person=Anna Ada") == ["1.png", "3.png", "5.png", "6.png"]
    with Catalog.open(home) as opened:
        before = runs_of(opened)[-1].id
    faces(group=True, catalog=home)
    with Catalog.open(home) as opened:
        assert runs_of(opened)[-1].id == before, "nothing new: nothing said"
    faces(name=[f"{number}="], catalog=home)
    with pytest.raises(UnknownName, match="Anna Ada"):
        whose(home, "person=Anna Ada")


def test_what_people_say_in_a_review_stays(home) -> None:
    faces(group=True, consent=True, catalog=home)
    with Catalog.open(home) as opened:
        (run,) = runs_of(opened)
        image = {Path(name).name: id for id, name in opened.images.names(opened.images.ids()).items()}
        review = opened.runs.start("review", question="person", parent=run.id)
        said = [("5.png", 1, "Carl"), ("2.png", 1, None)]
        opened.annotations.append(
            Annotation(image[name], "person", review.id, item=item, actor="me", sequence=k, kind="answer", label=label,
                       detail={"verdict": "wrong"})
            for k, (name, item, label) in enumerate(said)
        )  # fmt: skip
    faces(group=True, catalog=home)
    labels = named(home)
    assert labels["5.png"][0] == "Carl"
    assert labels["2.png"] == []
    assert faces(group=True, catalog=home).faces == 6
    with Catalog.open(home) as opened:
        assert len(runs_of(opened)) == 2, "what a person has reviewed stays"


def test_everything_is_erased(home, tmp_path) -> None:
    faces(group=True, consent=True, catalog=home)
    faces(name=["1=Wilhelmina"], catalog=home)
    with Catalog.open(home) as opened:
        assert opened.text.search("Wilhelmina")
    bytes_of = lambda: b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())  # noqa: E731
    assert b"Wilhelmina" in bytes_of()
    assert faces(forget=True, catalog=home).erased
    assert b"Wilhelmina" not in bytes_of()
    assert not kept_at(home).parent.exists()
    with Catalog.open(home) as opened:
        assert "person" not in opened.annotations.questions()
        assert opened.images.count() == 5
    with pytest.raises(InputError, match="consent"):
        faces(group=True, catalog=home)


def test_wrong_calls_say_what_is_wrong(home) -> None:
    faces(group=True, consent=True, catalog=home)
    with pytest.raises(UnknownName, match="Unknown group '99'"):
        faces(name=["99=Anna"], catalog=home)
    for wrong in ("Anna", "one=Anna"):
        with pytest.raises(InputError, match="cannot be read"):
            faces(name=[wrong], catalog=home)
    with pytest.raises(InputError, match="without a name"):
        faces(name=["1=group 2"], catalog=home)
    with pytest.raises(InputError, match="no cosine"):
        faces(group=True, likeness=2, catalog=home)
    FaceStore(kept_at(home)).note({"models": "others"})
    with pytest.raises(InputError, match="other models"):
        faces(group=True, catalog=home)


def test_all_but_some_people_are_hidden_or_only_they(home, tmp_path) -> None:
    faces(group=True, consent=True, catalog=home)
    number = named(home)["3.png"][0].removeprefix("group ")
    faces(name=[f"{number}=Anna"], catalog=home)
    photo = tmp_path / "photos" / "5.png"
    before = np.asarray(Image.open(photo)).astype(int)
    hidden: dict[str, list[bool]] = {}
    for key in ("except", "only"):
        policy = tmp_path / f"{key}.yaml"
        rule = f"  - name: faces\n    objects: [face]\n    model: yunet\n    action: blur\n    {key}: [Anna]\n"
        policy.write_text(f"name: {key}\nrules:\n{rule}", encoding="utf-8")
        result = screen(photo, policy=policy, out=tmp_path / key, catalog=home)
        (verdict,) = result.verdicts
        after = np.asarray(Image.open(verdict.written)).astype(int)
        middles = [(slice(40, 56), slice(32 * k + 8, 32 * k + 24)) for k in range(3)]
        hidden[key] = [bool(np.abs(after[m] - before[m]).mean() > 2) for m in middles]
    assert hidden == {"except": [True, False, True], "only": [False, True, False]}
    policy.write_text(policy.read_text().replace("Anna", "Berta"), encoding="utf-8")
    with pytest.raises(UnknownName, match="Unknown person 'Berta'"):
        screen(photo, policy=policy, catalog=home)


def test_the_policy_of_the_house_hides_faces_and_plates(home, tmp_path, monkeypatch) -> None:
    with pytest.raises(ModelError, match="'lpd-yunet' is not on this machine"):
        screen(tmp_path / "photos", policy=Path("privacy"), out=tmp_path / "out", catalog=home)
