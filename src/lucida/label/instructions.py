"""Instructions for a model that talks: what is asked, the rules, the classes and examples; versioned, from one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.errors import ImageError, InputError, UnknownName
from lucida.label.vocabulary import Vocabulary, check_names, clean
from lucida.models.chat import Prompt, Shot
from lucida.plain_yaml import load_words, read_text, switch

if TYPE_CHECKING:
    from lucida.catalog import Catalog

KEYS = ("name", "version", "question", "rules", "classes", "none_of_these")
CLASS_KEYS = ("definition", "examples")
_HINT = "--instructions rules.md, or rules.yaml with name, version, question, rules, classes"
_EXPECTED = "a table with the keys " + ", ".join(KEYS)
_FENCE = "---"


@dataclass(frozen=True)
class Instructions:
    """What a model is told beside the question.

    Attributes:
        name: What they are called.
        version: As a person counts it; "" for none.
        question: What is asked, in words; "" where that is given elsewhere.
        rules: Rules in free text; "" for none.
        vocabulary: The classes with their definitions; None where they are given elsewhere.
        shots: Examples with their classes.
        text: The file as it is written.
        suffix: Ending of the file, ".yaml" or ".md".
    """

    name: str
    version: str = ""
    question: str = ""
    rules: str = ""
    vocabulary: Vocabulary | None = None
    shots: tuple[Shot, ...] = ()
    text: str = field(default="", repr=False)
    suffix: str = ".yaml"

    @property
    def definitions(self) -> dict[str, str]:
        """What each class means, classes without a definition left out."""
        return definitions_of(self.vocabulary) if self.vocabulary else {}

    @property
    def digest(self) -> str:
        """SHA-256 over all that a model is told, bytes of the examples included; 64 hexadecimal characters."""
        classes = self.vocabulary.names if self.vocabulary else []
        shots = [[shot.answer, hashlib.sha256(shot.image).hexdigest()] for shot in self.shots]
        none = self.vocabulary.none_of_these if self.vocabulary else False
        said = [self.name, self.version, self.question, self.rules, classes, self.definitions, shots, none]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, str]:
        """Return name, version and digest, for the parameters of a run."""
        return {"name": self.name, "version": self.version, "digest": self.digest}

    def prompt(self, classes: Sequence[str], question: str) -> Prompt:
        """Return what is asked of each image.

        Args:
            classes: The answers that are allowed.
            question: What is asked, where the instructions do not say it.
        """
        meant = {name: text for name, text in self.definitions.items() if name in classes}
        shots = tuple(shot for shot in self.shots if shot.answer in classes)
        return Prompt(self.question or question, tuple(classes), meant, self.rules, shots)

    def changed(self, catalog: Catalog) -> str:
        """Return a sentence where an earlier run had other instructions of the same name and version; "" else."""
        own = self.to_json()
        for run in reversed(catalog.runs.all()):
            earlier = run.parameters.get("instructions")
            if not isinstance(earlier, dict) or (earlier.get("name"), earlier.get("version")) != (
                self.name,
                self.version,
            ):
                continue
            if earlier.get("digest") != own["digest"]:
                named = f"{self.name!r} {self.version}".strip()
                return f"The instructions {named} have changed since run {run.id}: raise their version."
        return ""


def definitions_of(vocabulary: Vocabulary) -> dict[str, str]:
    """Return what each class means, its descriptions joined; classes that only have a name are left out."""
    pairs = zip(vocabulary.names, vocabulary.descriptions, strict=True)
    return {name: "; ".join(words) for name, words in pairs if words != [name]}


def read_instructions(path: Path) -> Instructions:
    """Read instructions.

    Args:
        path: A .yaml file; or a .md file, whose text is the rules, with the other keys in YAML between two lines of
            "---" at its beginning or without any.

    Raises:
        InputError: The file cannot be read or is not clear: an unknown key, an example that is no image, a class that
            is empty or there twice.
    """
    suffix = path.suffix.lower()
    if suffix not in (".yaml", ".yml", ".md"):
        raise InputError(
            f"{path} is no file of instructions.", expected="a .yaml or .md file", got=path.name, hint=_HINT
        )
    text = read_text(path, "file of instructions", _HINT)
    front, body = _divided(text, path) if suffix == ".md" else (text, "")
    table = load_words(front, str(path), _EXPECTED) if front.strip() else {}
    if not isinstance(table, dict) or not (table or body.strip()):
        got = "nothing" if not table else type(table).__name__
        raise InputError(f"{path} holds no instructions.", expected=_EXPECTED, got=got, hint=_HINT)
    _known(table, KEYS, str(path))
    if table.get("rules") is not None and body.strip():
        raise InputError(
            f"{path} has rules twice.", expected="rules in the text, or under 'rules'", got="both", hint="keep one"
        )
    vocabulary, shots = _classes(table, path)
    return Instructions(
        name=_text(table, "name", path) or path.stem,
        version=_text(table, "version", path),
        question=_text(table, "question", path),
        rules=body.strip() or _text(table, "rules", path, lines=True),
        vocabulary=vocabulary,
        shots=shots,
        text=text,
        suffix=".md" if suffix == ".md" else ".yaml",
    )


def _divided(text: str, path: Path) -> tuple[str, str]:
    """Return the YAML and the text below it."""
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].rstrip() != _FENCE:
        return "", text
    end = next((i for i, line in enumerate(lines[1:], start=1) if line.rstrip() == _FENCE), None)
    if end is None:
        raise InputError(
            f"The YAML at the top of {path} has no end.",
            expected="a second line of ---",
            got="one line of ---",
            hint="end the keys with a line of ---",
        )
    return "".join(lines[1:end]), "".join(lines[end + 1 :])


def _known(table: dict[Any, Any], keys: Sequence[str], where: str) -> None:
    for key in table:
        if key not in keys:
            raise UnknownName(f"key in {where}", str(key), keys, hint="correct it, or leave it out")


def _text(table: dict[Any, Any], key: str, path: Path, *, lines: bool = False) -> str:
    value = table.get(key)
    if isinstance(value, dict) or (isinstance(value, list) and not (lines and all(isinstance(v, str) for v in value))):
        raise InputError(
            f"The key {key!r} of {path} is no text.", expected="a text", got=repr(value)[:80], hint=f"{key}: …"
        )
    if isinstance(value, list):
        return "\n".join(f"- {clean(line)}" for line in value)
    return "" if value is None else (value.strip() if lines else clean(value))


def _classes(table: dict[Any, Any], path: Path) -> tuple[Vocabulary | None, tuple[Shot, ...]]:
    none = switch(table.get("none_of_these"), "none_of_these", str(path))
    given = table.get("classes")
    if given is None:
        if none:
            raise InputError(
                f"{path} allows none of its classes, but has none.",
                expected="the key 'classes' beside none_of_these",
                got="none_of_these alone",
                hint="lucida label --classes … --none-of-these",
            )
        return None, ()
    entries = given.items() if isinstance(given, dict) else ((name, None) for name in given)
    if not isinstance(given, dict | list) or (
        isinstance(given, list) and any(isinstance(name, dict | list) for name in given)
    ):
        raise InputError(
            f"The classes of {path} are not clear.",
            expected="a list of names, or a table of names with definitions",
            got=repr(given)[:80],
            hint="classes: {dress: one piece, top and skirt, hat: worn on the head}",
        )
    found = [(clean(name), *_entry(clean(name), entry, path)) for name, entry in entries]
    check_names([name for name, _, _ in found], str(path))
    vocabulary = Vocabulary([name for name, _, _ in found], [[text or name] for name, text, _ in found], none)
    return vocabulary, tuple(Shot(image, name) for name, _, images in found for image in images)


def _entry(name: str, entry: Any, path: Path) -> tuple[str, list[bytes]]:
    """Return the definition and the examples of a class."""
    if not isinstance(entry, dict):
        return _text({name: entry}, name, path), []
    _known(entry, CLASS_KEYS, f"the class {name!r} of {path}")
    files = entry.get("examples")
    files = [] if files is None else files if isinstance(files, list) else [files]
    return _text(entry, "definition", path), [_example(name, file, path) for file in files]


def _example(name: str, file: Any, path: Path) -> bytes:
    from lucida.images import check, read

    try:
        if not isinstance(file, str):
            raise ImageError("It is no path.", got=repr(file)[:80])
        data = read(path.parent / Path(file).expanduser())
        check(data)
    except ImageError as error:
        raise InputError(
            f"The example {file!r} of the class {name!r} in {path} cannot be used: {error.what}",
            expected="the path of an image, as seen from that file",
            got=error.got,
            hint="correct the path, or leave the example out",
        ) from error
    return data


def agreed(vocabulary: Vocabulary | None, instructions: Instructions | None) -> Vocabulary:
    """Return the classes that are asked about, from where they are given.

    Args:
        vocabulary: Classes given by themselves.
        instructions: Instructions, with classes or without.

    Raises:
        InputError: No classes are given, or both give others.
    """
    told = instructions.vocabulary if instructions else None
    if vocabulary is None and told is None:
        raise InputError(
            "There are no classes to ask about.",
            expected="--classes, or instructions with the key 'classes'",
            got="neither",
            hint='--classes "dress,hat,shoes"',
        )
    if vocabulary is None or told is None:
        found = vocabulary or told
        assert found is not None
        return found
    if set(vocabulary.names) != set(told.names):
        extra = sorted(set(vocabulary.names) ^ set(told.names))
        raise InputError(
            "The classes and the instructions do not agree.",
            expected=f"the classes of the instructions: {', '.join(told.names[:12])}",
            got=f"only in one of them: {', '.join(extra[:12])}",
            hint="leave --classes out",
        )
    meant = definitions_of(vocabulary) | definitions_of(told)
    none = vocabulary.none_of_these or told.none_of_these
    return Vocabulary(told.names, [[meant.get(name, name)] for name in told.names], none)
