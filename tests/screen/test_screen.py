"""Images are screened by a policy, and what may leave the house is written."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lucida.catalog import Catalog
from lucida.catalog.verb import add
from lucida.errors import InputError, ModelError, UnknownName
from lucida.models.chat import Prompt, Reply
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Model, Spec
from lucida.results import Detections, Line, Reading, Screening
from lucida.screen import looks
from lucida.screen.looks import Sight, plain
from lucida.screen.policy import Rule, read_policy
from lucida.screen.privacy import hide, safe_copy
from lucida.screen.screener import Screener, judge
from lucida.screen.verb import screen
from pictures import picture, write_pictures
from told_models import model, png


def rule(name: str, threshold: float = 0.8, unsure: float = 0.4, action: str = "flag") -> Rule:
    return Rule(name, "words", ("x",), threshold=threshold, unsure=unsure, action=action)


def image(number: int) -> bytes:
    return png(np.full((60, 80, 3), number, np.uint8))


@pytest.fixture
def told(monkeypatch):
    """Models that say what the test tells them to, by name."""
    known: dict[str, Spec] = {}
    monkeypatch.setattr(looks, "find", lambda name, home=None: known[name])
    return known


def written(folder: Path, rules: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "policy.yaml"
    file.write_text("name: rules\nrules:\n" + rules, encoding="utf-8")
    return file


def see(folder: Path, rules: str, *files: bytes) -> list[Screening]:
    found = Screener(read_policy(written(folder, rules))).see(files)
    return [one.result for one in found if isinstance(one.result, Screening)]


def test_the_gravest_broken_rule_gives_the_label() -> None:
    first, second = rule("weapons"), rule("logos")
    both = judge([(first, Sight(0.9, "a gun")), (second, Sight(0.99, "a logo"))])
    assert (both.label, both.verdict, [one.rule for one in both.findings]) == (
        "weapons",
        "breaks",
        ["weapons", "logos"],
    )
    unsure = judge([(first, Sight(0.5, "a gun?")), (second, Sight(0.1))])
    assert (unsure.label, unsure.verdict) == ("ok", "unsure")
    fine = judge([(first, Sight(0.2)), (second, Sight(0.1))])
    assert (fine.label, fine.verdict, fine.findings) == ("ok", "ok", ())


def test_certainty_is_one_half_at_the_threshold_and_grows_away_from_it() -> None:
    scores = [judge([(rule("a"), Sight(s))]).score for s in (0.0, 0.4, 0.79999, 0.8, 0.9, 1.0)]
    assert scores == pytest.approx([1.0, 0.75, 0.5, 0.5, 0.75, 1.0], abs=1e-3)


def test_objects_are_found_with_their_places(told, tmp_path: Path) -> None:
    def boxes(number: int) -> Detections:
        xyxy = np.array([[1, 2, 30, 40], [5, 5, 9, 9]], np.float32)
        return Detections(xyxy, np.array([number / 100, 0.1], np.float32), np.array([0, 0]), ("face",))

    told["faces"] = model("detect", ("face",), boxes, "faces")
    rules = "  - name: faces\n    objects: face\n    model: faces\n    action: blur\n"
    sure, unsure, none = see(tmp_path, rules, image(90), image(40), image(5))
    assert sure.findings[0].boxes == ((1, 2, 30, 40),)
    assert [one.verdict for one in (sure, unsure, none)] == ["breaks", "unsure", "ok"]


def test_classes_that_break_a_rule_count_together(told, tmp_path: Path) -> None:
    told["nsfw"] = model("classify", ("drawing", "porn", "hentai"), lambda n: [1.0, n / 20, n / 20], "nsfw")
    rules = "  - name: nudity\n    classes: [porn, hentai]\n    model: nsfw\n"
    bad, good = see(tmp_path, rules, image(40), image(0))
    share = 2 * np.exp(2) / (np.exp(1) + 2 * np.exp(2))
    assert bad.findings[0].score == pytest.approx(share, abs=1e-5)
    assert good.label == "ok"
    with pytest.raises(UnknownName, match="class of nsfw in rule 'nudity'"):
        see(tmp_path, rules.replace("hentai", "hental"), image(1))


def test_words_and_patterns_are_found_in_text(told, tmp_path: Path) -> None:
    lines = {1: ("FREE  Money now",), 2: ("call 555-1234",), 3: ("glass",), 4: ("free", "money"), 5: ("今日全场五折",)}

    def read(number: int) -> Reading:
        corners = ((1.0, 1.0), (9.0, 1.0), (9.0, 4.0), (1.0, 4.0))
        return Reading(tuple(Line(text, 0.9, corners) for text in lines.get(number, ())))

    told["rapidocr"] = model("read", (), read, "rapidocr")
    rules = '  - name: text\n    text: [free money, "re:\\\\d{3}-\\\\d{4}", ass, 五折]\n'
    labels = [one.label for one in see(tmp_path, rules, *(image(n) for n in (1, 2, 3, 4, 5, 6)))]
    assert labels == ["text", "text", "ok", "text", "text", "ok"]
    assert plain("ＦＲＥＥ\n money ") == "free money"


class Judge(Model):
    """Says yes to bright images, and nothing about black ones."""

    def ask(self, prompt: Prompt, images):
        bright = np.asarray(Image.open(io.BytesIO(images[0]))).mean() / 255
        return [Reply({"yes": bright, "no": 1 - bright}, "it is bright") if bright else Reply(problem="no answer")]


def test_a_model_that_answers_may_judge(told, tmp_path: Path) -> None:
    told["judge"] = Spec(
        "judge", "test", ("ask",), ImageNeeds(8), Gives(), "MIT", "a test", "1",
        build=lambda spec, precision, trial: Judge(spec),
    )  # fmt: skip
    rules = "  - name: bright\n    ask: Is it bright?\n    model: judge\n    threshold: 0.7\n"
    bad, fine, silent = see(tmp_path, rules, image(220), image(30), image(0))
    assert (bad.label, bad.reason) == ("bright", "it is bright")
    assert fine.verdict == "ok"
    assert silent.verdict == "unsure", "what the model does not answer is for a person"
    told["judge"] = model("detect", ("a",), lambda n: None, "judge")
    with pytest.raises(ModelError, match="cannot answer questions"):
        see(tmp_path, rules, image(1))


def test_examples_are_recognised_by_the_embedded_encoder(tmp_path: Path) -> None:
    (tmp_path / "logos").mkdir()
    picture("stripes", 1, 96).save(tmp_path / "logos" / "mark.png")
    rules = "  - name: logo\n    examples: logos\n    threshold: 0.95\n"
    same, other = see(
        tmp_path, rules, (tmp_path / "logos" / "mark.png").read_bytes(), png(np.asarray(picture("disc", 5, 96)))
    )
    assert (same.label, same.reason) == ("logo", "looks like the example mark.png")
    assert same.findings[0].score == pytest.approx(1, abs=1e-3)
    assert other.label == "ok"


def test_words_are_matched_by_the_embedded_encoder(tmp_path: Path) -> None:
    found = see(tmp_path, "  - name: any\n    words: [dog]\n    threshold: 0.0\n    unsure: 0.0\n", image(100))
    assert found[0].label == "any"


def test_a_catalog_is_screened_once_and_what_is_new_later(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 2)
    add(tmp_path / "photos", catalog=tmp_path / "catalog")
    file = written(tmp_path / "rules", "  - name: any\n    words: [dog]\n    threshold: 0.999\n")
    part = screen(policy=file, catalog=tmp_path / "catalog", max_images=2)
    rest = screen(policy=file, catalog=tmp_path / "catalog")
    assert (part.images, rest.images, part.run == rest.run) == (2, 4, True)
    assert screen(policy=file, catalog=tmp_path / "catalog").images == 0
    with Catalog.open(tmp_path / "catalog") as catalog:
        answers = catalog.annotations.current("rules")
        assert len(answers) == 6
        assert {one.label for one in answers} <= {"ok", "any"}
        assert catalog.runs.get(part.run).finished is not None


def test_what_is_blocked_is_not_written_and_what_is_hidden_is_gone(told, tmp_path: Path) -> None:
    def boxes(number: int) -> Detections:
        count = 1 if number < 100 else 0
        xyxy = np.array([[10, 10, 40, 40]] * count, np.float32).reshape(-1, 4)
        return Detections(xyxy, np.full(count, 0.9, np.float32), np.zeros(count, np.int64), ("face",))

    told["faces"] = model("detect", ("face",), boxes, "faces")
    told["guns"] = model("classify", ("none", "gun"), lambda n: [0.0, 9.0 if n > 200 else -9.0], "guns")
    policy = written(
        tmp_path / "rules",
        "  - name: gun\n    classes: gun\n    model: guns\n    action: block\n"
        "  - name: face\n    objects: face\n    model: faces\n    action: blur\n",
    )
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, number in (("gun", 220), ("face", 50), ("fine", 150)):
        pixels = np.full((60, 80, 3), number, np.uint8)
        pixels[15:20, 15:20] = 255 - number
        pixels[0, 0] = number
        Image.fromarray(pixels).save(photos / f"{name}.png")
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    result = screen(photos, policy=policy, out=tmp_path / "safe")
    assert (result.written, result.counts, len(result.skipped)) == (2, {"ok": 1, "breaks": 2}, 1)
    assert sorted(path.name for path in (tmp_path / "safe").iterdir()) == ["face.png", "fine.png"]
    hidden = np.asarray(Image.open(tmp_path / "safe" / "face.png"))
    assert hidden[15:20, 15:20].max() < 205 - 30
    assert (hidden[45:, 45:] == 50).all()


def test_hiding_leaves_a_few_cells() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (100, 100, 3), np.uint8)
    before = pixels.copy()
    hidden = hide(pixels, [(20, 20, 80, 80), (200, 200, 220, 220), (5, 5, 5, 5)])
    assert np.array_equal(pixels, before)
    assert hidden[30:70, 30:70].std() < pixels[30:70, 30:70].std() / 5
    assert np.array_equal(hidden[:10], pixels[:10])


def test_a_copy_without_anything_hidden_has_the_same_pixels() -> None:
    data = image(7)
    copy, suffix = safe_copy(data)
    assert suffix == ".png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(copy))), np.asarray(Image.open(io.BytesIO(data))))


def test_nothing_to_screen_is_an_error(tmp_path: Path) -> None:
    file = written(tmp_path, "  - name: a\n    words: dog\n")
    with Catalog.open(tmp_path / "catalog", create=True):
        pass
    with pytest.raises(InputError, match="holds no image"):
        screen(policy=file, catalog=tmp_path / "catalog")
    with pytest.raises(UnknownName, match="model"):
        screen(tmp_path, policy=written(tmp_path, "  - name: a\n    words: dog\n    model: embeded\n"))


def test_copies_never_overwrite_the_images_themselves(told, tmp_path: Path) -> None:
    told["none"] = model("classify", ("fine", "bad"), lambda n: [9.0, -9.0], "none")
    policy = written(tmp_path / "rules", "  - name: bad\n    classes: bad\n    model: none\n")
    photo = tmp_path / "photo.png"
    photo.write_bytes(image(9))
    before = photo.read_bytes()
    result = screen(photo, policy=policy, out=tmp_path)
    assert result.written == 1
    assert photo.read_bytes() == before
    assert (tmp_path / "photo-2.png").exists()
