"""What `add` takes, what it refuses, and that doing it again changes nothing."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lucida.catalog import AddResult, Catalog, Refusal, add
from lucida.catalog.ingest import Ingest
from lucida.catalog.sources import Container, Found, find
from lucida.errors import InputError
from lucida.images import content_id

Draw = Callable[..., Path]

links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")


def reasons(result: AddResult) -> dict[str, str]:
    return {refusal.path: refusal.reason for refusal in result.refused}


def test_a_folder_is_added_with_all_below(photos: Path) -> None:
    result = add([Path("photos")])
    assert (result.added, result.known, result.refused) == (12, 0, [])
    with Catalog.open() as catalog:
        assert catalog.images.count() == 12
        files = sorted(path for path in photos.rglob("*") if path.is_file())
        assert set(catalog.images.ids()) == {content_id(path.read_bytes()) for path in files}
        # In order of name, folder by folder.
        given = [catalog.images.name(id) for id in catalog.images.ids()]
        assert given == [path.relative_to(photos.parent).as_posix() for path in files]
        record = catalog.images.get(content_id(files[0].read_bytes()))
        assert (record.width, record.height, record.mode, record.bytes) == (24, 24, "RGB", files[0].stat().st_size)


def test_adding_again_reads_nothing(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add([Path("photos")])
    monkeypatch.setattr("lucida.catalog.ingest.read", lambda path: pytest.fail(f"{path} was read again"))
    result = add([Path("photos")])
    assert (result.added, result.known, result.refused) == (0, 12, [])


def test_library_calls_may_give_one_path(photos: Path) -> None:
    assert add("photos").added == 12  # type: ignore[arg-type]
    assert add(photos).known == 12  # type: ignore[arg-type]


def test_files_patterns_and_the_current_folder(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert add([Path("photos/a b/01.png")]).added == 1
    assert add([Path("photos/*/*.jpg"), Path("photos/**/*.webp")]).added == 4
    # A pattern that matches a folder and what is in it takes each file once.
    result = add([Path("photos/**")])
    assert (result.added, result.known) == (7, 5)
    monkeypatch.chdir(photos)
    assert add([Path()], catalog=photos.parent / "lucida-catalog").known == 12
    with Catalog.open(photos.parent / "lucida-catalog") as catalog:
        assert {catalog.images.name(id).split("/")[0] for id in catalog.images.ids()} == {"a b", "日本"}


def test_a_path_that_looks_like_a_pattern_is_a_path(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "odd [1]" / "a*b?.png", 1)
    assert add([tmp_path / "odd [1]"], catalog=tmp_path / "c").added == 1
    assert add([tmp_path / "odd [1]" / "a*b?.png"], catalog=tmp_path / "c").known == 1


def test_the_same_bytes_at_two_paths_are_one_image(photos: Path) -> None:
    shutil.copy(photos / "日本" / "00.jpg", photos / "copy.jpg")
    result = add([Path("photos")])
    assert (result.added, result.known) == (12, 1)
    with Catalog.open() as catalog:
        id = content_id((photos / "copy.jpg").read_bytes())
        assert {place.given for place in catalog.images.places(id)} == {"photos/copy.jpg", "photos/日本/00.jpg"}
        assert {place.uri for place in catalog.images.places(id)} == {
            str(photos / "copy.jpg"),
            str(photos / "日本" / "00.jpg"),
        }


def test_a_changed_file_is_a_new_image_and_the_old_no_longer_counts(catalog: Catalog, photos: Path, draw: Draw) -> None:
    path = photos / "a b" / "01.png"
    before = content_id(path.read_bytes())
    draw(path, 99, side=30)
    result = add([Path("photos")])
    assert (result.added, result.known) == (1, 11)
    after = content_id(path.read_bytes())
    assert catalog.images.count() == 12
    assert before not in catalog.images.ids()
    assert catalog.images.places(before) == []
    assert [place.given for place in catalog.images.places(after)] == ["photos/a b/01.png"]
    # Its record stays, as annotations may speak of it, and it counts again once it is back.
    assert catalog.images.get(before).id == before
    draw(path, 1)
    assert add([Path("photos")]).added == 0
    assert before in catalog.images.ids()
    assert after not in catalog.images.ids()


def test_two_files_that_change_places(catalog: Catalog, photos: Path) -> None:
    one, two = photos / "a b" / "01.png", photos / "a b" / "07.png"
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    for path in (one, two):
        os.utime(path, ns=(1, 1))
    add([Path("photos")])
    assert catalog.images.count() == 12
    assert catalog.images.name(content_id(first)) == "photos/a b/07.png"
    assert catalog.images.read(content_id(first)) == first


def test_every_bad_file_is_named_with_its_reason_and_none_stops_it(photos: Path) -> None:
    jpeg = (photos / "日本" / "00.jpg").read_bytes()
    (photos / "half.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (photos / "empty.png").write_bytes(b"")
    (photos / "labels.csv").write_text("path,label\n")
    (photos / "text.jpg").write_text("no image at all")
    (photos / "more.zip").write_bytes(b"PK")
    (photos / "data.parquet").write_bytes(b"PAR1")
    result = add([Path("photos"), Path("missing.jpg"), Path("nothing-*.png")])
    assert result.added == 12
    found = reasons(result)
    assert set(found) == {
        "photos/half.jpg", "photos/empty.png", "photos/labels.csv", "photos/text.jpg", "photos/more.zip",
        "photos/data.parquet", "missing.jpg", "nothing-*.png",
    }  # fmt: skip
    assert "truncated" in found["photos/half.jpg"]
    assert "empty" in found["photos/empty.png"]
    assert "no image" in found["photos/labels.csv"]
    assert "name it" in found["photos/more.zip"]
    assert "no such file" in found["missing.jpg"]


def test_litter_is_passed_over_in_silence(photos: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", ".git/config.jpg", "__MACOSX/._a.jpg"):
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / name).write_bytes(b"x")
    result = add([Path("photos")])
    assert (result.added, result.refused) == (12, [])


def test_a_catalog_inside_the_folder_is_passed_over(photos: Path) -> None:
    assert add([Path()]).added == 12
    assert add([Path()]).added == 0
    shutil.copytree("lucida-catalog", photos / "another")
    assert add([Path("photos")]).refused == []


@links
def test_links_are_followed_only_within_the_folder(photos: Path, tmp_path: Path, draw: Draw) -> None:
    outside = draw(tmp_path / "outside" / "secret.png", 50)
    (photos / "inside.jpg").symlink_to(photos / "日本" / "00.jpg")
    (photos / "out.png").symlink_to(outside)
    (photos / "outdir").symlink_to(outside.parent)
    (photos / "dangling.png").symlink_to(photos / "nowhere.png")
    (photos / "self.png").symlink_to(photos / "self.png")
    (photos / "circle").symlink_to(photos)
    (photos / "sub").mkdir()
    (photos / "sub" / "up").symlink_to(Path(".."))
    result = add([Path("photos")])
    assert (result.added, result.known) == (12, 1)
    found = reasons(result)
    assert set(found) == {"photos/out.png", "photos/outdir", "photos/dangling.png", "photos/self.png"}
    assert "leads out" in found["photos/out.png"]
    assert "leads out" in found["photos/outdir"]
    assert "nothing" in found["photos/dangling.png"]
    # A folder with a name that begins like another's is outside of it.
    draw(tmp_path / "photos-private" / "a.png", 51)
    (photos / "sibling").symlink_to(tmp_path / "photos-private")
    assert "photos/sibling" in reasons(add([Path("photos")]))


@links
def test_a_link_that_is_named_is_followed(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photos)
    assert add([Path("link")]).added == 12


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names of any bytes")
def test_a_name_that_is_no_text_is_refused(photos: Path) -> None:
    raw = os.fsencode(photos) + b"/caf\xe9.png"
    shutil.copy(photos / "a b" / "01.png", raw)
    Path(os.fsdecode(os.fsencode(photos) + b"/\xff\xfe")).mkdir()
    shutil.copy(photos / "a b" / "01.png", os.fsencode(photos) + b"/\xff\xfe/a.png")
    result = add([Path("photos")])
    assert result.added == 12
    assert [refusal.reason for refusal in result.refused] == ["a name that is no Unicode text"] * 2
    json.dumps(result.to_json(), ensure_ascii=False).encode()
    str(result).encode()
    # Named itself it is refused too; the second time as well.
    with pytest.raises(InputError, match="Unicode"):
        add([Path(os.fsdecode(raw))])


def test_names_of_many_scripts_and_signs(tmp_path: Path, draw: Draw) -> None:
    names = ["ä ö.png", "图片.png", "a'b\"c.png", "%s;--.png", "🙂.png", "tab\there.png", "new\nline.png"]
    if sys.platform == "win32":
        names = names[:2]
    for seed, name in enumerate(names):
        draw(tmp_path / "p" / name, seed, "PNG")
    result = add([tmp_path / "p"], catalog=tmp_path / "c")
    assert (result.added, result.refused) == (len(names), [])
    with Catalog.open(tmp_path / "c") as catalog:
        for name in names:
            assert len(catalog.images.resolve(name)) == 1


def test_an_unreadable_folder_is_named_and_the_rest_added(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests may run as root, who can read all: so the refusal is made here.
    scandir = os.scandir

    def refuse(path: str) -> os._ScandirIterator[str]:
        if str(path).endswith("a b"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    result = add([Path("photos")])
    assert result.added == 6
    assert "Permission denied" in reasons(result)["photos/a b"]


def test_paths_that_the_system_refuses_are_named(photos: Path) -> None:
    long = "x" * 300
    result = add([Path("photos"), Path(long), Path(long + "*"), Path("photos/日本/00.jpg/below"), Path("a\0b")])
    assert result.added == 12
    assert list(reasons(result)) == [long, long + "*", "photos/日本/00.jpg/below", "a\0b"]


def test_a_folder_without_images_is_an_error_and_changes_nothing(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("no image")
    for name in ("empty", "texts", "texts/notes.txt", "nowhere"):
        with pytest.raises(InputError) as caught:
            add([Path(name)])
        error = caught.value
        assert name.split("/")[0] in error.what
        assert error.expected
        assert error.got
        assert error.hint
    assert catalog.images.count() == 12
    with pytest.raises(InputError):
        add([])


def test_a_mistyped_path_makes_no_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("texts").mkdir()
    Path("texts/notes.txt").write_text("no image")
    for name in ("nowhere", "texts", "texts/*.txt", "none*.jpg"):
        with pytest.raises(InputError, match="No image was found"):
            add([Path(name)])
    assert not Path("lucida-catalog").exists()


def test_an_empty_folder_beside_a_full_one_is_refused(photos: Path) -> None:
    Path("empty").mkdir()
    result = add([Path("photos"), Path("empty")])
    assert result.added == 12
    assert reasons(result) == {"empty": "a folder without images"}


def test_results_as_json_and_as_text(photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"bad")
    result = add([Path("photos")])
    assert result.to_json() == {
        "added": 12,
        "known": 0,
        "refused": [{"path": "photos/bad.jpg", "reason": result.refused[0].reason}],
    }
    assert str(result).splitlines()[0] == "12 added, 0 known, 1 refused"
    assert "photos/bad.jpg" in str(result)
    assert "and 5 more" in str(AddResult(1, 0, result.refused * 15))


def test_many_files_keep_their_order_whatever_thread_is_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder = tmp_path / "p"
    folder.mkdir()
    for i in range(700):
        side = int(rng.integers(1, 40))
        Image.fromarray(rng.integers(0, 255, (side, side), dtype=np.uint8)).save(folder / f"{i:04d}.png")
    assert add([folder], catalog=tmp_path / "c").added + 0 > 600
    with Catalog.open(tmp_path / "c") as catalog:
        names = [catalog.images.name(id) for id in catalog.images.ids()]
        assert names == sorted(names)


def test_the_path_as_given_last_is_the_name(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add([Path("photos")])
    monkeypatch.chdir(photos)
    add([Path("a b")], catalog=photos.parent / "lucida-catalog")
    with Catalog.open(photos.parent / "lucida-catalog") as catalog:
        assert sorted(name for name in map(catalog.images.name, catalog.images.ids()) if name.startswith("a b"))


def test_folders_deeper_than_python_can_call_itself(tmp_path: Path, draw: Draw) -> None:
    folder = tmp_path.joinpath(*["d"] * 300)
    draw(folder / "a.png", 1)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    try:
        result = add([tmp_path / "d"], catalog=tmp_path / "c")
    finally:
        sys.setrecursionlimit(limit)
    assert result.added == 1


def test_ctrl_c_keeps_what_was_checked(tmp_path: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucida.catalog.ingest.BATCH", 32)
    folder = tmp_path / "p"
    for i in range(200):
        draw(folder / f"{i:04d}.bmp", i, side=4)

    def pressed() -> Iterator[Found | Refusal | Container]:
        for number, item in enumerate(find([folder])):
            if number == 150:
                raise KeyboardInterrupt
            yield item

    with Catalog.open(tmp_path / "c", create=True) as catalog:
        ingest = Ingest(catalog, workers=2)
        with pytest.raises(KeyboardInterrupt):
            ingest.run(pressed())
        assert catalog.images.count() == ingest.added >= 16
