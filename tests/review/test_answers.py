import pytest

from lucida.errors import InputError
from lucida.review.answers import check_labels, read_answers


def write(path, rows, header="path,label", encoding="utf-8"):
    path.write_text("\n".join([header, *(f'"{p}",{label}' for p, label in rows)]) + "\n", encoding=encoding)
    return path


def names(catalog):
    return [catalog.images.name(i) for i in catalog.images.ids()]


def test_paths_as_given_and_file_names_both_work(catalog, tmp_path):
    given = names(catalog)[:4]
    rows = [(given[0], "a"), (given[1].rsplit("/", 1)[1], "b")]
    found = read_answers(write(tmp_path / "t.csv", rows), catalog)
    assert sorted(found.values()) == ["a", "b"]
    assert set(found) == set(catalog.images.ids()[:2])


def test_a_file_saved_by_a_spreadsheet(catalog, tmp_path):
    path = write(tmp_path / "t.csv", [(names(catalog)[0], "a")], encoding="utf-8-sig")
    assert list(read_answers(path, catalog).values()) == ["a"]


def test_unknown_paths_are_counted_and_named(catalog, tmp_path):
    path = write(tmp_path / "t.csv", [(names(catalog)[0], "a"), ("no/such.jpg", "b"), ("nor.jpg", "b")])
    with pytest.raises(InputError, match=r"2 paths.*\n.*\n.*no/such\.jpg"):
        read_answers(path, catalog)


def test_other_columns_are_refused(catalog, tmp_path):
    path = write(tmp_path / "t.csv", [("a", "b")], header="file,class")
    with pytest.raises(InputError, match="path,label"):
        read_answers(path, catalog)


def test_two_labels_of_one_image_are_refused(catalog, tmp_path):
    name = names(catalog)[0]
    path = write(tmp_path / "t.csv", [(name, "a"), (name.rsplit("/", 1)[1], "b")])
    with pytest.raises(InputError, match="two labels"):
        read_answers(path, catalog)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00path", None], ids=["empty", "not text", "missing"])
def test_files_that_are_no_answers(catalog, tmp_path, content):
    path = tmp_path / "t.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError):
        read_answers(path, catalog)


def test_answers_to_another_question_are_refused(tmp_path):
    with pytest.raises(InputError, match="No label"):
        check_labels({"x": "cat", "y": "dog"}, ["dress", "hat"], tmp_path / "t.csv")
    check_labels({"x": "cat", "y": "hat"}, ["dress", "hat"], tmp_path / "t.csv")
