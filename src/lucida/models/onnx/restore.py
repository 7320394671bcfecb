"""The small TOML beside an ONNX model that restores, and the spec of it.

name = "my-upscaler"                # any name
task = "upscale"                    # upscale | denoise | fill
file = "model.onnx"                 # beside this file
licence = "MIT"                     # and source, revision, note: for people and records
[input]
name = "image"                      # float32 (n, channels, height, width) in 0..1
channels = "RGB"                    # RGB | L: one channel, colours one by one | Y: luma, colour by bicubic
noise = ""                          # denoise: input of sigma / 255: (n,), (n, 1), (n, 1, 1, 1) or (n, 1, height, width)
mask = ""                           # fill: input of the mask, (n, 1, height, width), 1 where is to be filled
multiple = 1                        # height and width are padded to a multiple of it, by reflection
halo = 16                           # pixels on each side that a pixel of the result depends on
tile = 256                          # side in pixels of the tiles that it is fastest with, without their halo
blend = 0                           # pixels over which tiles fade into each other, where it sees beyond the halo
least = 1                           # smallest height and width
[output]
name = "image"                      # float32 (n, channels, height * scale, width * scale)
scale = 4
[measured]                          # figures for people, any names
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lucida.errors import InputError
from lucida.models.onnx.rules import Rule, read_table
from lucida.models.onnx.toml import beside, digest, read_toml, task_in
from lucida.models.restorer import RestoreNeeds
from lucida.models.spec import Gives, Model, Precision, Spec, Task, Trial

TASKS: Final[tuple[Task, ...]] = ("upscale", "denoise", "fill")
_TOP: Final = {
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
    "measured": Rule(dict, {}),
}
_WHOLE: Final = {"multiple": 1, "halo": 16, "tile": 256, "blend": 0, "least": 1}
_INPUT: Final = {
    "name": Rule(str, "image"),
    "channels": Rule(str, "RGB", allowed=("RGB", "L", "Y")),
    "noise": Rule(str, ""),
    "mask": Rule(str, ""),
    **{name: Rule(int, usual, above=-1 if name in ("halo", "blend") else 0) for name, usual in _WHOLE.items()},
}
_OUTPUT: Final = {"name": Rule(str, "image"), "scale": Rule(int, 1, above=0)}


@dataclass(frozen=True)
class RestoreCard:
    """A checked TOML whose ONNX file exists.

    Attributes:
        path: The TOML itself.
        file: The ONNX file.
        needs: What it needs of a piece of an image.
        scale: How many times larger its images are.
        input: Name of its image input.
        noise: Name of its noise input; "" where it has none.
        mask: Name of its mask input; "" where it has none.
        output: Name of the output.
        digest: First 12 hex digits of a SHA-256 over all that its results depend on.
    """

    path: Path
    name: str
    task: Task
    file: Path
    licence: str
    source: str
    revision: str
    note: str
    needs: RestoreNeeds
    scale: int
    input: str
    noise: str
    mask: str
    output: str
    digest: str
    measured: dict[str, Any]


def is_restorer(path: Path) -> bool:
    """Tell whether a TOML is that of a model that restores."""
    return task_in(path) in TASKS


def read_restore_card(path: Path) -> RestoreCard:
    """Read and check the TOML beside a model that restores.

    Raises:
        InputError: A key is unknown, missing or of the wrong kind.
        ModelError: It, or the file that it names, is missing.
    """
    table = read_toml(path)
    top = read_table(table, _TOP, where="the top", file=path)
    image = read_table(top["input"], _INPUT, where="[input]", file=path)
    output = read_table(top["output"], _OUTPUT, where="[output]", file=path)
    file = beside(path, top["file"])
    if top["task"] == "fill" and not image["mask"]:
        raise InputError(
            f"[input] of {path} lacks the key 'mask'.",
            expected="the name of the input that says what is to be filled",
            got=f"keys {', '.join(top['input']) or '(none)'}",
            hint=f"add it to {path.name}",
        )
    if output["scale"] > 1 and top["task"] != "upscale":
        raise InputError(
            f"[output] of {path} has a scale that its task has not.",
            expected='scale = 1, or task = "upscale"',
            got=f"scale = {output['scale']}, task = {top['task']!r}",
            hint=f"correct it in {path.name}",
        )
    needs = RestoreNeeds(
        channels=3 if image["channels"] == "RGB" else 1,
        luma=image["channels"] == "Y",
        noise=bool(image["noise"]),
        **{key: image[key] for key in _WHOLE},
    )
    return RestoreCard(
        path=path,
        **{key: top[key] for key in ("name", "task", "licence", "source", "revision", "note", "measured")},
        file=file,
        needs=needs,
        scale=output["scale"],
        input=image["name"],
        noise=image["noise"],
        mask=image["mask"],
        output=output["name"],
        digest=top["digest"] or digest([file], f"{image} {output} {top['task']}"),
    )


def restore_spec(card: RestoreCard, *, name: str, family: str) -> Spec:
    """Return the spec that a card describes."""

    def build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
        from lucida.models.onnx.restoring import OnnxRestorer

        return OnnxRestorer(spec, card, precision)

    return Spec(
        name=name,
        family=family,
        tasks=(card.task,),
        needs=card.needs.image,
        gives=Gives(scale=card.scale),
        licence=card.licence,
        source=card.source,
        revision="+".join(part for part in (card.revision, card.digest) if part),
        note=card.note,
        build=build,
        restores=card.needs,
    )
