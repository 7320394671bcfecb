"""The small TOML beside an ONNX model that draws, and the spec of it.

name = "my-generator"               # any name
task = "generate"
method = "flow"                     # flow | diffusion | gan | vae
licence = "MIT"                     # and source, revision, note, terms: for people and records
classes = ["cat", "dog"]            # in the order of their numbers; "none" has the number after the last
size = [32, 32]                     # width and height of its pictures: a square
[network]
file = "model.onnx"                 # flow: gives noise - data, of x = (1 - time) data + time noise
image = "x"                         # float32 (n, channels, height, width); gan: float32 (n, channels)
time = "time"                       # float32 (n,); flow: 1 (noise) to 0; diffusion: ln(sigma) / 4; gan, vae: has none
class = "class"                     # int64 (n,); "" where there are no classes
output = "output"                   # float32; flow, diffusion: as x; gan, vae: pictures in -1..1
channels = 3
height = 32
width = 32
[sampler]                           # flow, diffusion
steps = 12
guidance = 1.5                      # of classifier-free guidance; 1 for none
sampler = "heun"                    # flow: heun | euler | dpm++; diffusion: heun | dpm++
sigma_data = 0.5                    # diffusion; also sigma_least = 0.002, sigma_most = 80.0, rho = 7.0
[latent]                            # where x is a latent: x = (z - shift) * scale
decoder = "decoder.onnx"            # z to a picture in -1..1; of a vae it is the network itself
encoder = "encoder.onnx"            # a picture in -1..1 to the mean of z; without it, it cannot begin from an image
scale = 1.0
shift = 0.0
[measured]                          # figures for people, any names

Source: the network of "diffusion" is F of Karras et al. 2022, Elucidating the Design Space of Diffusion-Based
Generative Models; its input is c_in x.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from lucida.errors import InputError
from lucida.models.needs import ImageNeeds
from lucida.models.onnx.generate_card import SAMPLERS, TASK, GenerateCard, Sampling
from lucida.models.onnx.rules import Rule, read_table
from lucida.models.onnx.toml import beside, digest, read_toml, task_in
from lucida.models.spec import Gives, Model, Precision, Spec, Trial

_TOP: Final = {
    "name": Rule(str),
    "task": Rule(str, allowed=(TASK,)),
    "method": Rule(str, allowed=tuple(SAMPLERS)),
    "licence": Rule(str, "not stated"),
    "source": Rule(str, "not stated"),
    "revision": Rule(str, ""),
    "note": Rule(str, ""),
    "terms": Rule(str, ""),
    "digest": Rule(str, ""),
    "classes": Rule(list, []),
    "size": Rule(tuple, above=0),
    "network": Rule(dict, {}),
    "sampler": Rule(dict, {}),
    "latent": Rule(dict, {}),
    "measured": Rule(dict, {}),
}
_NETWORK: Final = {
    "file": Rule(str, "model.onnx"),
    "image": Rule(str, "x"),
    "time": Rule(str, "time"),
    "class": Rule(str, ""),
    "output": Rule(str, "output"),
    "channels": Rule(int, 3, above=0),
    "height": Rule(int, 0, above=0),
    "width": Rule(int, 0, above=0),
}
_SAMPLER: Final = {
    "steps": Rule(int, 12, above=0),
    "guidance": Rule(float, 1.0, above=-1e-9),
    "sampler": Rule(str, "heun"),
    "sigma_data": Rule(float, 0.5, above=0),
    "sigma_least": Rule(float, 0.002, above=0),
    "sigma_most": Rule(float, 80.0, above=0),
    "rho": Rule(float, 7.0, above=0),
}
_LATENT: Final = {
    "decoder": Rule(str, ""),
    "encoder": Rule(str, ""),
    "scale": Rule(float, 1.0, above=0),
    "shift": Rule(float, 0.0),
}


def is_generator(path: Path) -> bool:
    """Tell whether a TOML is that of a model that draws."""
    return task_in(path) == TASK


def read_generate_card(path: Path) -> GenerateCard:
    """Read and check the TOML beside a model that draws.

    Raises:
        InputError: A key is unknown, missing or of the wrong kind.
        ModelError: It, or a file that it names, is missing.
    """
    table = read_toml(path)
    top = read_table(_filled(table), _TOP, where="the top", file=path)
    network, sampler, latent = (
        read_table(_filled(top[name]), rules, where=f"[{name}]", file=path)
        for name, rules in (("network", _NETWORK), ("sampler", _rules(top["method"])), ("latent", _LATENT))
    )
    steps = bool(SAMPLERS[top["method"]])
    files = {"network": network["file"]} | {name: latent[name] for name in ("decoder", "encoder") if latent[name]}
    if not steps:
        files.pop("decoder", None)
    found = {name: beside(path, file) for name, file in files.items()}
    _check_classes(top["classes"], network["class"], path)
    return GenerateCard(
        path=path,
        **{key: top[key] for key in ("name", "method", "licence", "source", "revision", "note", "terms", "measured")},
        classes=tuple(top["classes"]),
        side=_side(top["size"], path),
        file=found["network"],
        shape=_shape(top["method"], network, top["size"], bool(latent["decoder"]), path),
        **{key: network[key] for key in ("image", "output")},
        time=network["time"] if steps else "",
        label=network["class"],
        sampling=Sampling(**sampler),
        decoder=found.get("decoder"),
        encoder=found.get("encoder"),
        scale=latent["scale"],
        shift=latent["shift"],
        digest=top["digest"]
        or digest(found.values(), f"{top['method']} {top['classes']} {network} {sampler} {latent}"),
    )


def generate_spec(card: GenerateCard, *, name: str, family: str) -> Spec:
    """Return the spec that a card describes."""

    def build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
        from lucida.models.onnx.generating import OnnxGenerator

        return OnnxGenerator(spec, card, precision)

    half = (0.5, 0.5, 0.5)
    return Spec(
        name=name,
        family=family,
        tasks=(TASK,),
        needs=ImageNeeds(card.side, resize="crop", channels="RGB", mean=half, std=half),
        gives=Gives(),
        licence=card.licence,
        source=card.source,
        revision="+".join(part for part in (card.revision, card.digest) if part),
        note=card.note,
        build=build,
        generates=card.needs,
    )


def _filled(table: dict[str, Any]) -> dict[str, Any]:
    """Return a table without what is there but empty: class = "", classes = []."""
    return {key: value for key, value in table.items() if value not in ("", [])}


def _rules(method: str) -> dict[str, Rule]:
    return _SAMPLER | {"sampler": Rule(str, "heun", allowed=SAMPLERS[method])}


def _side(size: tuple[float, ...], path: Path) -> int:
    if len(size) != 2 or size[0] != size[1] or size[0] != int(size[0]):
        raise InputError(
            f"The key 'size' of {path} is not what it must be.",
            expected="two equal whole numbers, width and height in pixels",
            got=f"{list(size)}",
            hint=f"correct it in {path.name}",
        )
    return int(size[0])


def _shape(method: str, network: dict[str, Any], size: tuple[float, ...], latent: bool, path: Path) -> tuple[int, ...]:
    if method == "gan":
        return (network["channels"],)
    if not latent and method != "vae":
        return network["channels"], network["height"] or int(size[1]), network["width"] or int(size[0])
    for key in ("height", "width"):
        if not network[key]:
            raise InputError(
                f"[network] of {path} lacks the key {key!r}.",
                expected=f"the {key} of the latent that the network takes",
                got=f"keys {', '.join(key for key, value in network.items() if value)}",
                hint=f"add it to {path.name}",
            )
    return network["channels"], network["height"], network["width"]


def _check_classes(classes: list[str], label: str, path: Path) -> None:
    if classes and not label:
        raise InputError(
            f"[network] of {path} lacks the key 'class'.",
            expected="the name of the input that takes the number of a class",
            got=f"{len(classes)} classes",
            hint=f"add it to {path.name}, or leave 'classes' out",
        )
    twice = [name for name in classes if classes.count(name) > 1]
    if twice:
        raise InputError(
            f"The key 'classes' of {path} names a class twice.",
            expected="each class once",
            got=repr(twice[0]),
            hint=f"correct it in {path.name}",
        )
