"""The whole of an export, by what is in the folder afterwards."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lucida.catalog import Annotation, Catalog, add
from lucida.errors import CertificateError, ImageError, InputError, LucidaError, UnknownName
from lucida.export import export
from lucida.images import content_id
from pictures import scene


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def images(out: Path) -> dict[str, str]:
    """Content id -> path of every image in the folder."""
    found = [p for p in out.rglob("*") if p.suffix in (".jpg", ".png", ".webp", ".gif")]
    by_id = {content_id(p.read_bytes()): p.relative_to(out).as_posix() for p in found}
    assert len(by_id) == len(found)
    return by_id


# ---- before any review --------------------------------------------------------------------------------------------


def test_csv_has_one_row_for_every_labelled_image_and_no_image(labelled: Any) -> None:
    result = export(Path("out"), format="csv")
    assert (labelled.home / "out" / "labels.csv").read_bytes().startswith(b"path,label,score,state,kept\r\n")
    found = rows(Path("out"))
    assert [row["path"] for row in found] == list(labelled.catalog.images.names(labelled.ids).values())
    assert {row["state"] for row in found} == {"proposed"}
    assert {row["kept"] for row in found} == {"false"}
    current = labelled.catalog.annotations.current("kind")
    assert [float(row["score"]) for row in found] == pytest.approx([c.score for c in current], abs=1e-6)
    assert images(Path("out")) == {}
    assert (result.labelled, result.images, result.certificate) == (30, 0, "none")
    assert set(json.loads(Path("out/export.json").read_text("utf-8"))["files"]) == {"labels.csv", "datasheet.md"}


def test_a_folder_a_class_holds_every_proposal_before_a_review(labelled: Any) -> None:
    result = export(Path("out"))
    found = images(Path("out"))
    assert set(found) == set(labelled.ids)
    folders = {"dress": "dress", "hat_cap": "hat/cap", "裙子": "裙子"}
    label = {c.image: c.label for c in labelled.catalog.annotations.current("kind")}
    for image, path in found.items():
        folder, name = path.split("/")
        assert folders[folder] == label[image]
        assert name == Path(labelled.catalog.images.name(image)).name
    assert (result.include, result.images, result.states["proposed"]) == ("proposed", 30, 30)
    assert result.classes == {"dress": 10, "hat/cap": 10, "裙子": 10}
    assert "lucida review" in str(result)
    assert json.loads(json.dumps(result.to_json())) == result.to_json()


def test_the_files_are_copies_and_not_links(labelled: Any) -> None:
    export(Path("out"))
    for path in images(Path("out")).values():
        assert not (Path("out") / path).is_symlink()
        assert (Path("out") / path).stat().st_nlink == 1


def test_metadata_are_taken_out_and_pixels_stay(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = Image.Exif()
    told[0x010F], told[0x8825] = "A camera", {1: "N", 2: (48.0, 51.0, 29.6)}
    Path("photos").mkdir()
    for i, name in enumerate(("a.jpg", "b.png", "c.webp", "d.gif")):
        scene(i).save(Path("photos") / name, exif=told)
    add([Path("photos")])
    with Catalog.open() as catalog:
        run = catalog.runs.start("label", question="kind", model="embedded", revision="1", parameters={})
        rows = [Annotation(image=i, question="kind", run=run.id, label="x", score=0.5) for i in catalog.images.ids()]
        catalog.annotations.append(rows)
        catalog.runs.finish(run.id)
    export(Path("out"))
    assert Image.open("out/x/a.jpg").getexif()
    bare = export(Path("out"), strip_metadata=True)
    assert {path.name for path in Path("out/x").iterdir()} == {"a.jpg", "b.png", "c.webp"}
    for path in Path("out/x").iterdir():
        assert not Image.open(path).getexif()
        assert b"A camera" not in path.read_bytes()
        assert Image.open(path).tobytes() == Image.open(Path("photos") / path.name).tobytes()
    assert [row["path"] for row in bare.skipped] == ["photos/d.gif"]
    assert "cannot be taken out" in bare.skipped[0]["reason"]


# ---- after a review -----------------------------------------------------------------------------------------------


@pytest.fixture
def reviewed(home: Path, make: Callable[..., Any]) -> Any:
    """A catalog whose review has ended, with a certificate."""
    made = make(home, count=80)
    made.label()
    made.review(wrong=1)
    return made


def test_a_review_lays_out_what_it_stands_behind_and_hands_back_the_rest(reviewed: Any) -> None:
    result = export(Path("out"))
    current = reviewed.catalog.annotations.current("kind")
    assert (result.include, result.certificate) == ("accepted", "valid")
    assert set(images(Path("out"))) == {c.image for c in current if c.state in ("reviewed", "accepted")}
    found = rows(Path("out"))
    assert len(found) == 80
    assert Counter(row["state"] for row in found) == Counter(c.state for c in current)
    certificate = json.loads(Path("out/certificate.json").read_text("utf-8"))
    assert sum(row["kept"] == "true" for row in found) == len(certificate["kept"]) == result.kept
    assert result.claim == certificate["claim"]


def test_the_certificate_is_copied_byte_for_byte_and_verifies(reviewed: Any) -> None:
    from lucida.review.verb import verify

    export(Path("out"))
    folder = reviewed.catalog.runs.folder(reviewed.catalog.runs.latest("kind", "review").id)
    for name in ("certificate.json", "certificate.population.parquet"):
        assert (Path("out") / name).read_bytes() == (folder / name).read_bytes()
    assert verify(Path("out/certificate.json")).ok


def test_a_corrected_label_lies_in_the_folder_of_the_correction(reviewed: Any) -> None:
    export(Path("out"))
    answers = reviewed.catalog.annotations.rows(question="kind", kind="answer")
    wrong = next(a for a in answers if a.detail["verdict"] == "wrong")
    assert images(Path("out"))[wrong.image].split("/")[0] == wrong.label.replace("/", "_")


@pytest.mark.parametrize("include", ["proposed", "accepted", "reviewed", "kept"])
def test_include_chooses_what_is_laid_out(reviewed: Any, include: Any) -> None:
    export(Path("out"), include=include)
    wanted = {
        "proposed": lambda c: True,
        "accepted": lambda c: c.state != "proposed",
        "reviewed": lambda c: c.state == "reviewed",
        "kept": lambda c: c.kept,
    }[include]
    current = reviewed.catalog.annotations.current("kind")
    assert set(images(Path("out"))) == {c.image for c in current if wanted(c)}
    assert len(rows(Path("out"))) == 80


def test_labelled_again_the_certificate_is_void_and_is_not_exported(reviewed: Any) -> None:
    export(Path("out"))
    again = reviewed.label(model="other", shift=1)
    result = export(Path("out"))
    assert result.certificate == "void"
    assert not Path("out/certificate.json").exists()
    assert not Path("out/certificate.population.parquet").exists()
    assert {row["kept"] for row in rows(Path("out"))} == {"false"}
    assert any(again.id in note for note in result.notes)
    assert "void" in Path("out/datasheet.md").read_text("utf-8")


def test_unsure_after_the_review_hands_the_image_back(reviewed: Any) -> None:
    kept = next(c for c in reviewed.catalog.annotations.current("kind") if c.state == "accepted")
    number = reviewed.answer(kept.image, "unsure")
    result = export(Path("out"))
    path = reviewed.catalog.images.name(kept.image)
    row = next(r for r in rows(Path("out")) if r["path"] == path)
    assert (row["state"], row["kept"]) == ("proposed", "false")
    assert kept.image not in images(Path("out"))
    assert any("not marked as kept" in note for note in result.notes)
    reviewed.undo(kept.image, number)
    export(Path("out"))
    row = next(r for r in rows(Path("out")) if r["path"] == path)
    assert (row["state"], row["kept"]) == ("accepted", "true")
    assert kept.image in images(Path("out"))


def test_what_only_another_certificate_keeps_is_proposed(reviewed: Any) -> None:
    # Two reviews of the same labels: the catalog has the records of both, and a promise holds for one set.
    folder = reviewed.catalog.runs.folder(reviewed.catalog.runs.latest("kind", "review").id)
    facts = json.loads((folder / "certificate.json").read_text("utf-8"))
    facts["kept"] = facts["kept"][::2]
    (folder / "certificate.json").write_text(json.dumps(facts), "utf-8")
    export(Path("out"))
    found = rows(Path("out"))
    assert sum(row["kept"] == "true" for row in found) == len(facts["kept"]) < 80
    assert any(row["state"] == "proposed" for row in found)
    assert all(row["kept"] == "true" for row in found if row["state"] == "accepted")


def test_a_damaged_certificate_is_said(reviewed: Any) -> None:
    folder = reviewed.catalog.runs.folder(reviewed.catalog.runs.latest("kind", "review").id)
    (folder / "certificate.json").write_text("{", "utf-8")
    with pytest.raises(CertificateError, match="cannot be read"):
        export(Path("out"))


# ---- questions and bad input ---------------------------------------------------------------------------------------


def test_the_latest_question_is_exported_unless_one_is_named(labelled: Any) -> None:
    labelled.question = "colour"
    labelled.label()
    assert export(Path("a"), format="csv").question == "colour"
    assert export(Path("b"), format="csv", question="kind").question == "kind"


@pytest.mark.parametrize(
    ("options", "kind", "hint"),
    [
        ({"question": "knid"}, UnknownName, "did you mean 'kind'"),
        ({"format": "imagefolders"}, UnknownName, "did you mean 'imagefolder'"),
        ({"include": "accept"}, UnknownName, "did you mean 'accepted'"),
        ({"include": "reviewed"}, InputError, "--include proposed"),
        ({"splits": "train=0.8"}, InputError, "--splits train=0.8,"),
        ({"format": "csv", "splits": "a=0.5,b=0.5"}, InputError, "--format parquet"),
    ],
)
def test_bad_options_are_refused_and_nothing_is_written(
    labelled: Any, options: dict[str, Any], kind: type[LucidaError], hint: str
) -> None:
    with pytest.raises(kind) as caught:
        export(Path("out"), **options)
    assert hint in caught.value.hint
    assert not Path("out").exists()


def test_nothing_labelled_says_what_to_do_next(home: Path, make: Callable[..., Any]) -> None:
    Catalog.open(home / "catalog", create=True).close()
    with pytest.raises(InputError, match="no images") as caught:
        export(Path("out"))
    assert "lucida add" in caught.value.hint
    make(home, count=2)
    with pytest.raises(InputError, match="Nothing is labelled") as caught:
        export(Path("out"))
    assert "lucida label" in caught.value.hint
    with pytest.raises(LucidaError) as caught:
        export(Path("out"), question="kind")


def test_an_export_into_the_catalog_is_refused(labelled: Any) -> None:
    for out in ("catalog", "catalog/out"):
        with pytest.raises(InputError, match="catalog's own folder"):
            export(Path(out), overwrite=True)


# ---- images that are gone, names that collide, odd names -------------------------------------------------------------


def test_images_that_are_gone_are_reported_and_skipped(labelled: Any) -> None:
    gone = next((labelled.home / "photos").glob("*.png"))
    gone.unlink()
    result = export(Path("out"))
    assert result.images == 29
    assert [Path(s["path"]).name for s in result.skipped] == [gone.name]
    assert "gone" in result.skipped[0]["reason"]
    assert len(rows(Path("out"))) == 30
    assert gone.name in Path("out/datasheet.md").read_text("utf-8")
    assert gone.name in str(result)


def test_a_changed_file_is_never_exported_under_the_old_label(labelled: Any) -> None:
    changed = next((labelled.home / "photos").glob("*.png"))
    Image.new("RGB", (9, 9)).save(changed)
    result = export(Path("out"))
    assert [Path(s["path"]).name for s in result.skipped] == [changed.name]


def test_no_image_left_is_an_error(labelled: Any) -> None:
    shutil.rmtree(labelled.home / "photos")
    for format in ("imagefolder", "parquet"):
        with pytest.raises(ImageError, match="None of the images"):
            export(Path(f"out-{format}"), format=format)  # type: ignore[arg-type]
    assert export(Path("out-csv"), format="csv").labelled == 30


def test_an_image_that_is_gone_stays_in_an_export_that_has_it(labelled: Any) -> None:
    export(Path("out"))
    shutil.rmtree(labelled.home / "photos")
    assert export(Path("out")).images == 30


def test_names_that_collide_are_told_apart(home: Path, make: Callable[..., Any], draw: Any) -> None:
    made = make(home, count=0)
    for folder in ("a", "b", "c"):
        (home / "photos" / folder).mkdir(parents=True)
        draw(ord(folder)).save(home / "photos" / folder / "IMG_0001.jpg")
    add([Path("photos")], catalog=home / "catalog")
    made.label(images=[made.ids[0]] * 1)
    run = made.catalog.runs.latest("kind", "label")
    made.catalog.annotations.append([Annotation(image, "kind", run.id, label="dress", score=0.5) for image in made.ids])
    export(Path("out"))
    found = images(Path("out"))
    assert found == {image: f"dress/IMG_0001-{image[:8]}.jpg" for image in made.ids}


# ---- refreshing ---------------------------------------------------------------------------------------------------


def test_exported_again_nothing_is_copied_and_nothing_changes(labelled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lucida.catalog.images import Images

    export(Path("out"))
    before = {p: p.read_bytes() for p in Path("out").rglob("*") if p.is_file()}
    with monkeypatch.context() as patched:
        patched.setattr(Images, "read", lambda *_: pytest.fail("an image was read again"))
        export(Path("out"))
    assert {p: p.read_bytes() for p in Path("out").rglob("*") if p.is_file()} == before


def test_a_refresh_moves_what_changed_class(labelled: Any) -> None:
    export(Path("out"))
    image = labelled.ids[0]
    before = images(Path("out"))[image]
    labelled.answer(image, "wrong", "coat")
    export(Path("out"))
    found = images(Path("out"))
    assert found[image] == "coat/" + before.split("/")[1]
    assert len(found) == 30


def test_a_change_of_format_leaves_nothing_behind(labelled: Any) -> None:
    export(Path("out"), splits="train=0.5,test=0.5")
    export(Path("out"), format="parquet")
    assert {p.name for p in Path("out").iterdir()} == {"train.parquet", "labels.csv", "datasheet.md", "export.json"}


def test_files_of_an_export_that_was_added_to_the_catalog_stay(labelled: Any) -> None:
    export(Path("out"))
    add([Path("out")], catalog=labelled.home / "catalog")
    result = export(Path("out"), format="csv")
    assert len(images(Path("out"))) == 30
    assert any("in the catalog" in note for note in result.notes)


def test_an_edited_datasheet_stays(labelled: Any) -> None:
    export(Path("out"))
    Path("out/datasheet.md").write_text("CC BY 4.0", "utf-8")
    for _ in range(2):
        result = export(Path("out"))
        assert Path("out/datasheet.md").read_text("utf-8") == "CC BY 4.0"
        assert "Datasheet: kind" in Path("out/datasheet.new.md").read_text("utf-8")
        assert any("datasheet.new.md" in note for note in result.notes)


def test_stopped_at_any_moment_the_next_export_is_whole(labelled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lucida.export.folder import Folder

    labelled.review(max_error=0.3)
    export(Path("whole"), splits="train=0.5,test=0.5")
    expected = contents(Path("whole"))
    write = Folder.file
    for moment in range(0, 34, 3):
        export(Path("out"), include="proposed")  # another export lies there already
        left = moment

        def stop(self: Folder, name: str) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            return write(self, name)

        with monkeypatch.context() as patched:
            patched.setattr(Folder, "file", stop)
            with pytest.raises(KeyboardInterrupt):
                export(Path("out"), splits="train=0.5,test=0.5")
        export(Path("out"), splits="train=0.5,test=0.5")
        assert contents(Path("out")) == expected


def contents(out: Path) -> dict[str, bytes]:
    """Return all files but the two that name the folder or the moment."""
    found = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    return {name: data for name, data in found.items() if name not in ("datasheet.md", "export.json")}


# ---- the command line ------------------------------------------------------------------------------------------------


def test_the_command_prints_one_object(labelled: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from lucida.cli import run

    assert run(["export", "out", "--format", "csv", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["labelled"], printed["question"], printed["certificate"]) == (30, "kind", "none")
    assert run(["export", "out", "--question", "knid"]) == 1
    assert "did you mean 'kind'" in capsys.readouterr().err


def test_the_verb_is_light() -> None:
    code = "import sys, lucida.export; print(*sorted(m for m in sys.modules if '.' not in m))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pyarrow", "sqlalchemy", "PIL", "scipy", "lancedb"} & set(loaded)


# ---- splits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["imagefolder", "parquet"])
def test_every_image_is_in_one_split_and_near_identical_ones_in_the_same(
    home: Path, make: Callable[..., Any], draw: Any, format: Any
) -> None:
    made = make(home, count=40)
    for i in range(12):  # bursts: other qualities and sizes of the same picture
        draw(i).save(home / "photos" / f"burst {i} a.jpg", quality=35)
        draw(i).resize((40, 40)).save(home / "photos" / f"burst {i} b.jpg", quality=70)
    add([Path("photos")], catalog=home / "catalog")
    made.label()
    result = export(Path("out"), format=format, splits="train=0.5,validation=0.25,test=0.25", seed=3)
    split = splits_of(Path("out"), format)
    assert len(split) == sum(result.splits.values()) == 64
    assert all(abs(result.splits[s] - share * 64) <= 3 for s, share in (("train", 0.5), ("test", 0.25)))
    by_name = {Path(made.catalog.images.name(image)).name: image for image in made.ids}
    for i in range(12):
        original = by_name[f"été {i:03d}.{('jpg', 'png', 'webp')[i % 3]}"]
        assert split[original] == split[by_name[f"burst {i} a.jpg"]] == split[by_name[f"burst {i} b.jpg"]]
    export(Path("again"), format=format, splits="train=0.5,validation=0.25,test=0.25", seed=3)
    assert splits_of(Path("again"), format) == split
    export(Path("other"), format=format, splits="train=0.5,validation=0.25,test=0.25", seed=4)
    assert splits_of(Path("other"), format) != split


def splits_of(out: Path, format: str) -> dict[str, str]:
    if format == "imagefolder":
        return {image: path.split("/")[0] for image, path in images(out).items()}
    import pyarrow.parquet as pq

    parts = [(pq.read_table(p)["id"].to_pylist(), p.stem) for p in out.glob("*.parquet")]
    assert len({image for ids, _ in parts for image in ids}) == sum(len(ids) for ids, _ in parts)
    return {image: split for ids, split in parts for image in ids}


def test_a_class_that_a_split_lacks_is_said(labelled: Any) -> None:
    labelled.answer(labelled.ids[0], "wrong", "only one")
    result = export(Path("out"), splits="train=0.8,test=0.2")
    assert any("'only one'" in note for note in result.notes)


# ---- warnings about readers -----------------------------------------------------------------------------------------


def test_names_that_mislead_readers_are_said(home: Path, make: Callable[..., Any], draw: Any) -> None:
    made = make(home, count=0)
    (home / "photos").mkdir(exist_ok=True)
    draw(1).save(home / "photos" / "holiday-test.jpg")
    draw(2).save(home / "photos" / "moving.gif")
    draw(3).save(home / "photos" / "=SUM(A1).png")
    add([Path("photos")], catalog=home / "catalog")
    run = made.catalog.runs.start("label", question="kind", model="m", revision="1")
    labels = ("=cmd()", "b", "c")
    made.catalog.annotations.append(
        [
            Annotation(image, "kind", run.id, label=label, score=0.5)
            for image, label in zip(made.ids, labels, strict=True)
        ]
    )
    notes = "\n".join(export(Path("out")).notes)
    assert "holiday-test.jpg" in notes
    assert ".gif" in notes
    assert "formula" in notes
    assert rows(Path("out"))[0]["label"] == "=cmd()"
