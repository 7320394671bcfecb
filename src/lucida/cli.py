"""The command `lucida`: every verb is a function of the library, read as it stands.

A verb's options are its function's parameters and its help is the function's docstring, so the two cannot drift
apart. Verbs are imported when they are called: `lucida --help` loads none of them.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from lucida import __version__
from lucida.errors import InputError, LucidaError
from lucida.processes import is_first

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cyclopts import App


class Verb(NamedTuple):
    """One verb: its name, the function behind it, and a line of help."""

    name: str
    function: str
    help: str


VERBS = (
    Verb("add", "lucida.catalog.verb:add", "Add images to the catalog: files, folders, archives, Parquet."),
    Verb("label", "lucida.label.verb:label", "Label every image: by examples, by words, or by earlier answers."),
    Verb("review", "lucida.studio.verb:review", "Teach and check in a page, until the promise is proven."),
    Verb("compare", "lucida.studio.verb:compare", "Say which of two label runs is better, and show where they differ."),
    Verb("export", "lucida.export.verb:export", "Write labels, images and the certificate for others to use."),
    Verb("verify", "lucida.review.verb:verify", "Recheck a certificate: replay it, and check its signature."),
    Verb("clean", "lucida.clean.verb:clean", "Find images that are doubled, poor or wrongly labelled."),
    Verb("search", "lucida.search.verb:search", "Find images by words, by images, or by what was written of them."),
    Verb("train", "lucida.train.verb:train", "Train a small model of your own, and use it like any other."),
    Verb("studio", "lucida.studio.verb:studio", "Open the pages of a catalog: how training goes, where labels differ."),
    Verb("evaluate", "lucida.evaluate.verb:evaluate", "Say how good a model is, with intervals and a report."),
    Verb("explain", "lucida.explain.verb:explain", "Show where a model looked, and what it was reminded of."),
    Verb("compress", "lucida.compress.verb:compress", "Make a trained model smaller and faster; prove what it costs."),
    Verb("predict", "lucida.predict.verb:predict", "Ask any model about images, videos, streams and cameras."),
    Verb("generate", "lucida.generate.verb:generate", "Draw pictures from words, images, masks, edges, sketches."),
    Verb("restore", "lucida.restore.verb:restore", "Make images larger, take out noise, fill what a mask covers."),
    Verb("serve", "lucida.serve.verb:serve", "Serve models to programs: an API that refuses rather than falls over."),
    Verb("screen", "lucida.screen.verb:screen", "Screen images by a policy in plain words, and hide what it says."),
    Verb("faces", "lucida.faces.verb:faces", "Group the faces of your own album, by consent, and erase it again."),
    Verb("models", "lucida.models.verb:models", "List the models at hand, and what each is for."),
    Verb("demo", "lucida.demo.verb:demo", "Do the whole job on images at hand, offline."),
    Verb("env", "lucida.env:env", "Print what a bug report needs."),
)

EPILOGUE = """\
Options of every verb:

--json   one JSON object on standard output and nothing else

--debug  the traceback of an error

The catalog is ./lucida-catalog unless --catalog or LUCIDA_CATALOG says otherwise.
"""

DONE, FAILED, WRONG_CALL, INTERRUPTED = 0, 1, 2, 130


def build() -> App:
    """Return the command-line application; no verb is imported yet."""
    from cyclopts import App, Parameter

    app = App(
        name="lucida",
        help="Camera Lucida: label 10,000 photos by checking about 500.",
        help_epilogue=EPILOGUE,
        help_format="markdown",
        version=__version__,
        default_parameter=Parameter(negative=(), consume_multiple=False),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    for order, verb in enumerate(VERBS):
        app.command(f"{__name__}:{verb.name}", name=verb.name, help=verb.help, sort_key=order)
    return app


def __getattr__(name: str) -> Any:
    """Return the function behind a verb, imported now, as the command line reads it."""
    for verb in VERBS:
        if verb.name == name:
            module, function = verb.function.split(":")
            return _without_return(getattr(import_module(module), function))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _without_return(function: Callable[..., Any]) -> Callable[..., Any]:
    # Cyclopts evaluates every annotation; to import the type of what a verb returns would load all its work needs.
    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        return function(*args, **options)

    call.__annotations__ = {k: v for k, v in function.__annotations__.items() if k != "return"}
    return call


def _switches(arguments: Sequence[str]) -> tuple[list[str], bool, bool]:
    """Take `--json` and `--debug` out of the arguments, wherever they stand before a `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    head, tail = list(arguments[:end]), list(arguments[end:])
    rest = [a for a in head if a not in ("--json", "--debug")]
    return rest + tail, "--json" in head, "--debug" in head


def _call(arguments: list[str], *, as_json: bool) -> Any:
    from cyclopts import CycloptsError

    try:
        if not as_json:
            return build()(arguments)
        # Whatever a library prints on the way must not spoil the one object on standard output.
        with redirect_stdout(sys.stderr):
            return build()(arguments)
    except CycloptsError as error:
        verb = arguments[0] if arguments and not arguments[0].startswith("-") else ""
        # Only a call that names a verb has a page of help of its own.
        known = verb in {v.name for v in VERBS}
        raise WrongCallError(
            " ".join(str(error).split()), hint=f"lucida {verb + ' ' if known else ''}--help"
        ) from error


class WrongCallError(InputError):
    """The command line itself is wrong: exit code 2."""


def _report(error: LucidaError, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(error.to_json(), ensure_ascii=False))
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    first, *rest = error.message().splitlines()
    console.print(f"[bold red]error:[/] {_plain(first)}")
    for line in rest:
        console.print(_plain(line))


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _print(result: Any, *, as_json: bool) -> None:
    if not is_first():
        return
    if as_json:
        body = result.to_json() if hasattr(result, "to_json") else result
        print(json.dumps(body, ensure_ascii=False, allow_nan=False))
    elif result is not None:
        print(result)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 done, 1 failed, 2 wrong call.

    Args:
        arguments: The words after `lucida`.
    """
    rest, as_json, debug = _switches(arguments)
    try:
        result = _call(rest, as_json=as_json)
        _print(result, as_json=as_json)
    except LucidaError as error:
        if debug:
            raise
        _report(error, as_json=as_json)
        return WRONG_CALL if isinstance(error, WrongCallError) else FAILED
    except KeyboardInterrupt:
        print("Stopped. Everything done so far is kept; the same command goes on from here.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # `lucida … | head` closed the pipe; give the interpreter nothing left to flush into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        if debug:
            raise
        _report(
            LucidaError(
                f"An unexpected error stopped the program: {type(error).__name__}: {error}",
                hint="repeat the command with --debug and report what it prints, with `lucida env`",
            ),
            as_json=as_json,
        )
        return FAILED
    return int(getattr(result, "exit_code", DONE))


def main() -> None:
    """Enter from the shell."""
    sys.exit(run(sys.argv[1:]))
