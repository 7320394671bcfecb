import importlib
import inspect
import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from lucida import __version__, cli
from lucida.errors import InputError
from lucida.models.openai_api import flags


def test_help_lists_every_verb_and_loads_none_of_them():
    code = (
        "import sys\nfrom lucida.cli import run\nassert run(['--help']) == 0\n"
        "heavy = {'numpy', 'scipy', 'pyarrow', 'sqlalchemy', 'lancedb', 'openvino', 'nicegui', 'onnxruntime'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    for verb in cli.VERBS:
        assert f" {verb.name} " in done.stdout


@pytest.mark.parametrize("verb", cli.VERBS, ids=lambda v: v.name)
def test_help_of_a_verb_comes_from_its_function_and_loads_nothing_heavy(verb):
    code = (
        f"import sys\nfrom lucida.cli import run\nassert run(['{verb.name}', '--help']) == 0\n"
        "heavy = {'scipy', 'pyarrow', 'sqlalchemy', 'lancedb', 'openvino', 'nicegui', 'onnxruntime'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    for name in inspect.signature(_function(verb)).parameters:
        assert name.replace("_", "-").upper() in done.stdout.upper()


@pytest.mark.parametrize("verb", cli.VERBS, ids=lambda v: v.name)
def test_every_option_of_a_verb_is_explained(verb):
    function = _function(verb)
    for name, parameter in inspect.signature(function).parameters.items():
        # Options that several verbs share bring their help with them.
        shared = getattr(flags, str(parameter.annotation), None)
        help = shared.__metadata__[0].help if shared else ""
        assert help or f"        {name}: " in (function.__doc__ or ""), f"{verb.name} does not explain {name}"


def _function(verb):
    module, name = verb.function.split(":")
    return getattr(importlib.import_module(module), name)


def test_version(capsys):
    assert cli.run(["--version"]) == cli.DONE
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    "words", [["evn"], ["env", "--no-such-option"], ["review", "--max-error", "much"], ["verify"]], ids=" ".join
)
def test_a_wrong_call_ends_with_2_and_says_what_to_try(words, capsys):
    assert cli.run(words) == cli.WRONG_CALL
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "error:" in captured.err
    assert "lucida" in captured.err
    assert "Traceback" not in captured.err


def test_json_is_one_object_and_nothing_else(capsys):
    assert cli.run(["env", "--json"]) == cli.DONE
    body = json.loads(capsys.readouterr().out)
    assert body["versions"]["camera-lucida"] == __version__


def test_json_of_an_error_is_one_object_too(capsys, tmp_path):
    assert cli.run(["verify", str(tmp_path / "none.json"), "--json"]) == cli.FAILED
    captured = capsys.readouterr()
    body = json.loads(captured.out)
    assert set(body) == {"error", "what", "expected", "got", "hint"}
    assert body["what"].split()[0] in captured.err


@dataclass
class _Noisy:
    value: int = 3

    def to_json(self):
        return {"value": self.value}


def test_what_a_library_prints_does_not_spoil_the_object(capsys, monkeypatch):
    def verb():
        print("noise of a library")
        return _Noisy()

    _only(monkeypatch, verb)
    assert cli.run(["verb", "--json"]) == cli.DONE
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"value": 3}
    assert "noise" in captured.err


@pytest.mark.parametrize("error", [InputError("It broke.", hint="glue"), RuntimeError("deep inside")])
def test_a_failure_ends_with_1_without_a_traceback_unless_asked(error, capsys, monkeypatch):
    def verb():
        raise error

    _only(monkeypatch, verb)
    assert cli.run(["verb"]) == cli.FAILED
    assert "Traceback" not in capsys.readouterr().err
    with pytest.raises(type(error)):
        cli.run(["verb", "--debug"])


def test_ctrl_c_says_that_nothing_is_lost(capsys, monkeypatch):
    def verb():
        raise KeyboardInterrupt

    _only(monkeypatch, verb)
    assert cli.run(["verb"]) == cli.INTERRUPTED
    assert "kept" in capsys.readouterr().err


def _only(monkeypatch, function):
    build = cli.build

    def with_one():
        app = build()
        app.command(function, name="verb")
        return app

    monkeypatch.setattr(cli, "build", with_one)
