"""Archives and Parquet files: nothing leaves them but images, and each is read once."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lucida.catalog import AddResult, Catalog, add
from lucida.catalog.sources.archives import Archive
from lucida.catalog.sources.parquet import image_column
from lucida.errors import InputError
from lucida.images import Limits, content_id

Draw = Callable[..., Path]


def reasons(result: AddResult) -> dict[str, str]:
    return {refusal.path: refusal.reason for refusal in result.refused}


@pytest.fixture
def bytes_of(draw: Draw, tmp_path: Path) -> Callable[[int], bytes]:
    return lambda seed: draw(tmp_path / "made" / f"{seed}.png", seed).read_bytes()


def tar_of(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ["a b.zip", "x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.TAR.XZ"])
def test_members_are_added_and_their_bytes_kept(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_of: Callable[[int], bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    members = {"one.png": bytes_of(1), "sub dir/日本.png": bytes_of(2), "again.png": bytes_of(1), "notes.txt": b"hi"}
    suffix = name.lower().rpartition(".")[2].replace("tgz", "gz")
    if name.endswith(".zip"):
        zip_of(Path(name), members)
    else:
        tar_of(Path(name), members, f"w:{suffix}" if suffix != "tar" else "w")
    result = add([Path(name)])
    assert (result.added, result.known) == (2, 1)
    assert list(reasons(result)) == [f"{name}/notes.txt"]
    Path(name).unlink()
    with Catalog.open() as catalog:
        one, two = content_id(members["one.png"]), content_id(members["sub dir/日本.png"])
        assert catalog.images.ids() == [one, two]
        assert catalog.images.read(one) == members["one.png"]
        assert [place.uri for place in catalog.images.places(two)] == [f"{tmp_path / name}!/sub dir/日本.png"]
        assert catalog.images.name(two) == f"{name}/sub dir/日本.png"
        assert catalog.images.resolve("日本.png") == [two]


def test_a_known_archive_is_not_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_of: Callable[[int], bytes]
) -> None:
    path = zip_of(tmp_path / "x.zip", {"1.png": bytes_of(1), "2.png": bytes_of(2), "bad.png": b"bad"})
    first = add([path], catalog=tmp_path / "c")
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("opened again"))
        second = add([path], catalog=tmp_path / "c")
    assert (first.added, first.known) == (2, 0)
    assert (second.added, second.known) == (0, 2)
    assert first.refused == second.refused
    zip_of(path, {"1.png": bytes_of(1), "3.png": bytes_of(3), "4.png": bytes_of(4)})
    third = add([path], catalog=tmp_path / "c")
    assert (third.added, third.known, third.refused) == (2, 1, [])


def test_what_a_zip_may_not_hold(tmp_path: Path, bytes_of: Callable[[int], bytes]) -> None:
    path = tmp_path / "x.zip"
    data = bytes_of(1)
    names = ["../../evil.png", "/etc/evil.png", "C:/evil.png", "..\\evil.png", "inner.zip"]
    zip_of(path, dict.fromkeys(names, data) | {"good.png": data})
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    before = set(tmp_path.rglob("*"))
    result = add([path], catalog=tmp_path / "c")
    assert (result.added, len(result.refused)) == (1, 6)
    found = reasons(result)
    prefix = path.as_posix()
    assert all("leads out" in found[f"{prefix}/{name}"] for name in names[:4])
    assert "inside an archive" in found[f"{prefix}/inner.zip"]
    assert "link" in found[f"{prefix}/link.png"]
    assert {p for p in tmp_path.rglob("*") if (tmp_path / "c") not in [p, *p.parents]} == before


def test_what_a_tar_may_not_hold(tmp_path: Path, bytes_of: Callable[[int], bytes]) -> None:
    path = tar_of(tmp_path / "x.tar", {"../evil.png": bytes_of(1), "/abs.png": bytes_of(1), "good.png": bytes_of(2)})
    with tarfile.open(path, "a") as archive:
        for name, kind in (("soft.png", tarfile.SYMTYPE), ("hard.png", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    result = add([path], catalog=tmp_path / "c")
    assert result.added == 1
    found = {name.removeprefix(path.as_posix() + "/"): reason for name, reason in reasons(result).items()}
    assert set(found) == {"../evil.png", "/abs.png", "soft.png", "hard.png", "pipe"}
    assert "link" in found["soft.png"]
    assert "link" in found["hard.png"]
    assert "regular" in found["pipe"]


def test_an_encrypted_member_is_refused(tmp_path: Path, bytes_of: Callable[[int], bytes]) -> None:
    path = zip_of(tmp_path / "x.zip", {"secret.png": bytes_of(1), "open.png": bytes_of(2)})
    data = bytearray(path.read_bytes())
    # Set bit 0 of the flags of the first member, in its own header and in the directory.
    data[6] |= 1
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    result = add([path], catalog=tmp_path / "c")
    assert result.added == 1
    assert reasons(result) == {f"{path.as_posix()}/secret.png": "encrypted"}


def test_a_member_larger_than_the_limit_is_not_unpacked(tmp_path: Path, bytes_of: Callable[[int], bytes]) -> None:
    bomb = b"\x89PNG\r\n\x1a\n" + bytes(5_000_000)
    for path in (
        zip_of(tmp_path / "x.zip", {"bomb.png": bomb, "a.png": bytes_of(1)}),
        tar_of(tmp_path / "x.tar.gz", {"bomb.png": bomb, "a.png": bytes_of(1)}, "w:gz"),
    ):
        items = list(Archive(path, Limits(bytes=100_000)))
        assert [type(item).__name__ for item in items] == ["Refusal", "Found"]
        assert "larger than" in items[0].reason  # type: ignore[union-attr]
    # A header may lie about the size: what comes out is counted, not believed.
    path = tmp_path / "x.zip"
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    first = next(iter(Archive(path, Limits(bytes=100_000))))
    assert len(getattr(first, "data", b"") or b"") <= 100_001


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.parquet"])
def test_a_container_that_breaks_off_gives_what_it_can(
    name: str, tmp_path: Path, bytes_of: Callable[[int], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    members = {f"{i}.png": bytes_of(i) for i in range(40)}
    path = Path(name)
    if name == "x.zip":
        zip_of(path, members)
    elif name == "x.parquet":
        rows = pa.array([{"bytes": data, "path": key} for key, data in members.items()])
        pq.write_table(pa.table({"image": rows}), path)
    else:
        tar_of(path, members, "w:gz" if name.endswith("gz") else "w")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    readable = name.startswith("x.tar")
    if readable:
        result = add([path])
        assert 0 < result.added < 40
        assert "cannot be read further" in reasons(result)[name]
    else:
        with pytest.raises(InputError, match=r"(?s)cannot be read further.*try"):
            add([path])
    # Once it is whole it is read to its end.
    path.write_bytes(whole)
    result = add([path])
    assert result.added + result.known == 40
    assert result.refused == []


def features(**kinds: str) -> dict[bytes, bytes]:
    info = {"info": {"features": {name: {"_type": kind} for name, kind in kinds.items()}}}
    return {b"huggingface": json.dumps(info).encode()}


STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.mark.parametrize(
    ("fields", "declared", "expected"),
    [
        ([("image", STRUCT), ("label", pa.int64())], {"image": "Image", "label": "Value"}, "image"),
        ([("mask", STRUCT), ("image", STRUCT)], {"mask": "Image", "image": "Image"}, "image"),
        ([("lr_x2", STRUCT), ("hr_x2", STRUCT)], {"lr_x2": "Image", "hr_x2": "Image"}, "lr_x2"),
        ([("sound", STRUCT), ("photo", STRUCT)], {"sound": "Audio", "photo": "Image"}, "photo"),
        ([("label", pa.int64()), ("picture", STRUCT)], {}, "picture"),
        ([("image", pa.binary())], {}, "image"),
        ([("hash", pa.binary()), ("label", pa.int64())], {}, None),
        ([("image", pa.string())], {"image": "Image"}, None),
    ],
)
def test_the_column_of_images_is_found(
    fields: list[tuple[str, pa.DataType]], declared: dict[str, str], expected: str | None
) -> None:
    schema = pa.schema(fields, metadata=features(**declared) if declared else None)
    assert image_column(schema) == expected


def test_rows_of_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_of: Callable[[int], bytes]) -> None:
    monkeypatch.chdir(tmp_path)
    secret = Path("secret.png")
    secret.write_bytes(bytes_of(9))
    rows = [
        {"bytes": bytes_of(1), "path": "deep/one.png"},
        {"bytes": bytes_of(2), "path": None},
        {"bytes": None, "path": str(secret.absolute())},
        None,
        {"bytes": b"bad", "path": "bad.png"},
    ]
    pq.write_table(pa.table({"image": pa.array(rows, STRUCT)}), "x y.parquet")
    result = add([Path("x y.parquet")])
    assert result.added == 2
    found = reasons(result)
    assert set(found) == {"x y.parquet#2", "x y.parquet#3", "x y.parquet#4"}
    assert "a path without bytes" in found["x y.parquet#2"]
    with Catalog.open() as catalog:
        one = content_id(bytes_of(1))
        assert [(p.given, p.uri) for p in catalog.images.places(one)] == [
            ("x y.parquet#0", f"{tmp_path / 'x y.parquet'}#0")
        ]
        assert catalog.images.resolve("one.png") == catalog.images.resolve("x y.parquet#0") == [one]
        assert catalog.images.read(one) == bytes_of(1)
    again = add([Path("x y.parquet")])
    assert (again.added, again.known, again.refused) == (0, 2, result.refused)


def test_parquet_without_images_is_an_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"label": [1, 2]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="no column of images"):
        add([tmp_path / "x.parquet"], catalog=tmp_path / "c")


def test_real_sets_are_added(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "clothing" / "validation.parquet"
    result = add([path], catalog=tmp_path / "c")
    assert (result.added + result.known, result.refused) == (341, [])
    with Catalog.open(tmp_path / "c") as catalog:
        first = catalog.images.ids()[0]
        assert content_id(catalog.images.read(first)) == first
