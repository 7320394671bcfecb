import webbrowser
from pathlib import Path

import pytest

from lucida.demo import verb
from lucida.demo.verb import demo
from lucida.errors import InputError
from lucida.review import verify


def test_the_demo_runs_by_itself_and_keeps_its_promise(tmp_path):
    pytest.importorskip("sklearn")
    result = demo(out=tmp_path, yes=True)
    assert result.taught + result.checked <= 400
    assert result.accepted >= 1697 / 2
    assert result.wrong <= 0.06 * result.accepted, "the bound is on the kept labels; these are those nobody looked at"
    assert verify(result.certificate).ok
    assert "truly wrong" in str(result)
    assert (tmp_path / "labelled" / "labels.csv").exists()


def test_a_folder_of_ones_own_needs_to_know_what_to_tell_apart(tmp_path):
    with pytest.raises(InputError, match="tell apart"):
        demo(tmp_path, out=tmp_path / "work", yes=True)


def test_a_folder_of_ones_own(tmp_path):
    from pictures import write_pictures

    write_pictures(tmp_path / "photos", 5)
    result = demo(tmp_path / "photos", classes="dress,hat", out=tmp_path / "work", yes=True)
    assert result.images == 15
    assert result.certificate is None
    assert Path(result.catalog).is_dir()


def test_without_a_browser_nobody_is_asked(monkeypatch):
    def none(*_):
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "get", none)
    assert not verb._has_browser()
