"""The small TOML beside an ONNX model: what it is, what it takes, what comes out.

name = "my-encoder"                 # any name
digest = ""                         # of a program that wrote the model: what changes whenever the files do
task = "encode"                     # encode | classify | clip | tag | detect | segment | anomaly
file = "encoder.onnx"               # beside this file
licence = "MIT"                     # and source, revision, note: for people and records
[input]
name = "image"                      # name of the input in the file
size = 224                          # pixels, square
resize = "crop"                     # squash | crop | pad
edge = 256                          # crop, squash: pixels before the middle is cut out; else as the size
centre = "floor"                    # floor | round, how half a pixel is rounded
interpolation = "bicubic"           # area | bilinear | bicubic | lanczos | nearest
channels = "RGB"                    # RGB | BGR | L | raw: all channels as the file has them, as many as mean has
deep = true                         # raw: whether values have more than 8 bits
layout = "NCHW"                     # NCHW | NHWC
scale = 0.00392156862745098         # on 0..255, before mean and std; raw: on the values of the file, 1 if left out
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
spacing = [0.7, 0.7]                # of pixels from row to row and across, usual in training, where that is known
unit = "mm"                         # mm | m | degree, of spacing
[output]
embedding = "embedding"             # encode and clip
logits = "logits"                   # classify
dimensions = 512                    # of the embedding; found by running the model where it is left out
classes = "classes.txt"             # one a line; or JSON: names, or {"name": …, "synonyms": […]}
raw = ["boxes", "scores"]           # detect, segment, anomaly: all outputs that are decoded, in order
[decode]                            # detect, segment, anomaly: how; see lucida.models.onnx.decoders
kind = "boxes"                      # boxes | masks | heat | yolo, and what that kind takes
[text]                              # clip only
file = "text.onnx"
tokenizer = "tokenizer.json"
context = 77
name = "input_ids"
mask = "attention_mask"             # where the text model takes one
output = "text_embeds"
template = "a photo of a {}"
logit_scale = 100.0
[parts]                             # widths of parts of the embedding that are of different kinds, in order
shape = 384
layout = 384
[measured]                          # figures for people, any names
accuracy = 0.71
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lucida.errors import InputError
from lucida.images import Spacing
from lucida.models.needs import CENTRES, CHANNELS, INTERPOLATIONS, LAYOUTS, RAW, RESIZES, ImageNeeds
from lucida.models.onnx.rules import Rule, read_table
from lucida.models.onnx.toml import beside, digest, read_toml

TASKS = ("encode", "classify", "clip", "tag", "detect", "segment", "anomaly")

_TOP = {
    "name": Rule(str),
    "task": Rule(str, allowed=TASKS),
    "file": Rule(str),
    "licence": Rule(str, "not stated"),
    "source": Rule(str, "not stated"),
    "revision": Rule(str, ""),
    "note": Rule(str, ""),
    "digest": Rule(str, ""),
    "input": Rule(dict, {}),
    "output": Rule(dict, {}),
    "decode": Rule(dict, {}),
    "text": Rule(dict, {}),
    "parts": Rule(dict, {}),
    "measured": Rule(dict, {}),
}
_INPUT = {
    "name": Rule(str, "image"),
    "size": Rule(int, above=0),
    "resize": Rule(str, "squash", allowed=RESIZES),
    "interpolation": Rule(str, "area", allowed=INTERPOLATIONS),
    "channels": Rule(str, "RGB", allowed=CHANNELS),
    "layout": Rule(str, "NCHW", allowed=LAYOUTS),
    "scale": Rule(float, 1 / 255, above=0),
    "mean": Rule(tuple, ()),
    "std": Rule(tuple, (), above=0),
    "edge": Rule(int, 0),
    "centre": Rule(str, "floor", allowed=CENTRES),
    "deep": Rule(bool, False),
    "spacing": Rule(tuple, (), above=0),
    "unit": Rule(str, "mm", allowed=("mm", "m", "degree")),
}
_OUTPUT = {
    "embedding": Rule(str, ""),
    "logits": Rule(str, ""),
    "classes": Rule(str, ""),
    "raw": Rule(list, []),
    "dimensions": Rule(int, 0, above=0),
}
_TEXT = {
    "file": Rule(str),
    "tokenizer": Rule(str),
    "context": Rule(int, 77, above=1),
    "name": Rule(str, "input_ids"),
    "mask": Rule(str, ""),
    "output": Rule(str, "text_embeds"),
    "template": Rule(str, "a photo of a {}"),
    "logit_scale": Rule(float, 100.0, above=0),
}
_PART = Rule(int, above=0)
# What each task cannot do without, as (table, key).
_TASK_NEEDS = {
    "encode": (("output", "embedding"),),
    "classify": (("output", "logits"), ("output", "classes")),
    "clip": (("output", "embedding"), ("text", "file")),
    "tag": (("output", "logits"), ("output", "classes")),
    "detect": (("output", "raw"), ("output", "classes"), ("decode", "kind")),
    "segment": (("output", "raw"), ("output", "classes"), ("decode", "kind")),
    "anomaly": (("output", "raw"), ("decode", "kind")),
}


@dataclass(frozen=True)
class Text:
    """The text half of a CLIP-like pair."""

    file: Path
    tokenizer: Path
    context: int
    name: str
    mask: str
    output: str
    template: str
    logit_scale: float


@dataclass(frozen=True)
class Card:
    """A checked TOML: every file named in it exists.

    Attributes:
        path: The TOML itself.
        parts: Widths of the named parts of the embedding, in order; empty where it is of one kind.
        raw: Outputs that are decoded to boxes, masks or maps, in order.
        decode: How: its kind, and what that kind takes.
        dimensions: Length of the embedding; 0 where it is not stated.
        classes: Names in the order of the logits.
        synonyms: For each class its name and what else it is called.
        digest: First 12 hex digits of a SHA-256 over all that its results depend on: the files that the TOML
            names, and how it says they are used. Figures and words for people do not count.
    """

    path: Path
    name: str
    task: str
    file: Path
    licence: str
    source: str
    revision: str
    note: str
    needs: ImageNeeds
    input: str
    embedding: str
    logits: str
    synonyms: tuple[tuple[str, ...], ...]
    text: Text | None
    digest: str
    parts: dict[str, int] = field(default_factory=dict)
    dimensions: int = 0
    raw: tuple[str, ...] = ()
    decode: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(words[0] for words in self.synonyms)


def read_card(path: Path) -> Card:
    """Read and check the TOML beside a model.

    Args:
        path: The TOML file.

    Raises:
        InputError: It is not TOML, or a key is unknown, missing or of the wrong kind.
        ModelError: A file that it names is missing.
    """
    top = read_table(read_toml(path), _TOP, where="the top", file=path)
    tables = {
        "input": read_table(top["input"], _input_rules(top["input"]), where="[input]", file=path),
        "output": read_table(top["output"], _OUTPUT, where="[output]", file=path),
        "text": read_table(top["text"], _TEXT, where="[text]", file=path) if top["text"] else {},
        "decode": dict(top["decode"]),
        "parts": read_table(top["parts"], dict.fromkeys(top["parts"], _PART), where="[parts]", file=path),
    }
    for table, key in _TASK_NEEDS[top["task"]]:
        if not tables[table].get(key):
            raise InputError(
                f"[{table}] of {path} lacks the key {key!r}.",
                expected=f"{key!r}, which a model of task {top['task']!r} needs",
                got=f"keys {', '.join(top[table]) or '(none)'}",
                hint=f"add it to {path.name}",
            )
    weights = beside(path, top["file"])
    classes_file = beside(path, tables["output"]["classes"]) if tables["output"]["classes"] else None
    text = _text(path, tables["text"]) if tables["text"] else None
    files = [file for file in (weights, classes_file, *((text.file, text.tokenizer) if text else ())) if file]
    return Card(
        path=path,
        **{key: top[key] for key in ("name", "task", "licence", "source", "revision", "note", "measured")},
        file=weights,
        needs=_needs(path, tables["input"]),
        input=tables["input"]["name"],
        embedding=tables["output"]["embedding"],
        logits=tables["output"]["logits"],
        synonyms=_read_classes(classes_file) if classes_file else (),
        text=text,
        parts=tables["parts"],
        dimensions=tables["output"]["dimensions"],
        raw=tuple(tables["output"]["raw"]),
        decode=tables["decode"],
        digest=top["digest"] or digest(files, json.dumps({"task": top["task"], **_counting(tables)}, sort_keys=True)),
    )


def _input_rules(table: dict[str, Any]) -> dict[str, Rule]:
    """Return the rules of [input]: only values of 8 bits are brought to 0..1 where nobody says more."""
    return {**_INPUT, "scale": Rule(float, 1.0, above=0)} if table.get("channels") == RAW else _INPUT


def _needs(path: Path, table: dict[str, Any]) -> ImageNeeds:
    raw = table["channels"] == RAW
    depth = len(table["mean"]) if raw else 1 if table["channels"] == "L" else 3
    if not depth:
        raise InputError(
            f"[input] of {path} does not say how many channels there are.",
            expected=f"mean, a number for each channel, with channels = {RAW!r}",
            got="no mean",
            hint=f"add it to {path.name}",
        )
    values = {k: v for k, v in table.items() if k not in ("name", "spacing", "unit")}
    values["spacing"] = _spacing(path, table)
    for key, default in (("mean", 0.0), ("std", 1.0)):
        values[key] = values[key] or (default,) * depth
        if len(values[key]) != depth:
            raise InputError(
                f"The key {key!r} in [input] of {path} has the wrong length.",
                expected=f"{depth} numbers for channels {table['channels']!r}",
                got=f"{len(values[key])} numbers",
                hint=f"correct it in {path.name}",
            )
    return ImageNeeds(**values)


def _spacing(path: Path, table: dict[str, Any]) -> Spacing | None:
    if not table["spacing"]:
        return None
    if len(table["spacing"]) != 2:
        raise InputError(
            f"The key 'spacing' in [input] of {path} has the wrong length.",
            expected="two numbers: from row to row, and from column to column",
            got=f"{len(table['spacing'])} numbers",
            hint=f"correct it in {path.name}",
        )
    down, across = table["spacing"]
    return Spacing(down, across, table["unit"])


def _text(path: Path, table: dict[str, Any]) -> Text:
    if "{}" not in table["template"]:
        raise InputError(
            f"The key 'template' in [text] of {path} has no place for the class.",
            expected="a text with {} in it",
            got=repr(table["template"]),
            hint='template = "a photo of a {}"',
        )
    files = {key: beside(path, table[key]) for key in ("file", "tokenizer")}
    return Text(**{**table, **files})


def _read_classes(file: Path) -> tuple[tuple[str, ...], ...]:
    text = file.read_text(encoding="utf-8")
    try:
        found = json.loads(text) if file.suffix == ".json" else [n for n in text.splitlines() if n.strip()]
        classes = tuple(_words(entry) for entry in (found.values() if isinstance(found, dict) else found))
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"The classes in {file} cannot be read.",
            expected="a JSON list of names, or one name a line in a .txt",
            got=str(error),
            hint="write them in the order of the logits",
        ) from error
    if not classes:
        raise InputError(
            f"{file} names no class.",
            expected="one name for each logit",
            got="an empty list",
            hint="write them in the order of the logits",
        )
    return classes


def _words(entry: Any) -> tuple[str, ...]:
    """Read a class: its name, or an object with "name" and "synonyms"."""
    words = [entry["name"], *entry.get("synonyms", [])] if isinstance(entry, dict) else [entry]
    if not all(isinstance(word, str) and word.strip() for word in words):
        raise TypeError(f"{entry!r} is not a name")
    return tuple(word.strip() for word in words)


def _counting(tables: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Leave out keys that came later and are not used: older models keep their digest."""
    later = {
        # Where pixels lie in the world changes no result.
        "input": {"edge": 0, "centre": "floor", "deep": False} | {k: tables["input"][k] for k in ("spacing", "unit")},
        "output": {"dimensions": tables["output"]["dimensions"], "raw": []},
    }
    return {
        name: {key: value for key, value in table.items() if later.get(name, {}).get(key, _NEVER) != value}
        for name, table in tables.items()
        if table or name != "decode"
    }


_NEVER = object()


def write_card(
    path: Path,
    top: dict[str, Any],
    needs: ImageNeeds,
    output: dict[str, Any],
    *,
    input: str = "image",
    **tables: dict[str, Any],
) -> None:
    """Write the TOML beside a model.

    Args:
        path: The TOML file.
        top: What stands above all tables: name, task, file, licence, source …
        needs: What the model needs of an image.
        output: The table [output].
        input: Name of the input in the file.
        tables: Further tables by name; empty ones are left out.
    """
    keys = ("size", "resize", "edge", "centre", "interpolation", "channels", "layout", "scale", "mean", "std")
    more: dict[str, Any] = {"deep": True} if needs.deep else {}
    if needs.spacing is not None:
        *distances, unit = needs.spacing
        more |= {"spacing": distances, "unit": unit}
    whole = {
        "": top,
        "input": {"name": input, **{key: getattr(needs, key) for key in keys}, **more},
        "output": output,
        **{name: table for name, table in tables.items() if table},
    }
    lines: list[str] = []
    for name, table in whole.items():
        lines += [f"[{name}]"] if name else []
        # What JSON writes for texts, numbers and lists of them is TOML as well.
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
