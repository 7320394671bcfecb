"""The verb `models`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from lucida.models.spec import Spec

TaskName = Literal[
    "encode", "classify", "words", "ask", "tag", "detect", "segment", "anomaly", "outline", "caption", "answer", "read",
    "faces", "upscale", "denoise", "fill", "generate",
]  # fmt: skip


@dataclass(frozen=True)
class HubModel:
    """A model of the hub that has a short name.

    Attributes:
        name: The short name.
        uri: What it stands for.
        tasks: What it can do.
        about: What it is good for.
        licence: Licence of its weights.
        megabytes: What is downloaded the first time.
        here: Whether it is in the hub's cache on this machine.
    """

    name: str
    uri: str
    tasks: tuple[str, ...]
    about: str
    licence: str
    megabytes: int
    here: bool


@dataclass(frozen=True)
class Offered:
    """A model behind an address.

    Attributes:
        name: Its name.
        host: Where images are sent.
        key: Environment variable of the key; "" where none is needed.
        ready: Whether that variable is set, or none is needed.
        price: US dollars per million tokens of input and of output; None where it is not known.
        thousand: US dollars that 1,000 images usually cost, ten classes, one image a request; None where not known.
        as_of: Month of the price.
    """

    name: str
    host: str
    key: str
    ready: bool
    price: tuple[float, float] | None
    thousand: float | None
    as_of: str


@dataclass(frozen=True)
class Drawer:
    """A model behind an address that draws.

    Attributes:
        name: Its name.
        host: Where prompts and images are sent.
        key: Environment variable of the key; "" where none is needed.
        ready: Whether that variable is set, or none is needed.
        note: What a picture costs.
    """

    name: str
    host: str
    key: str
    ready: bool
    note: str


@dataclass(frozen=True)
class ModelList:
    """The models that there are.

    Attributes:
        specs: Those at hand.
        hub: Those of the hub with a short name.
        offered: Those behind an address.
        drawers: Those behind an address that draw.
    """

    specs: tuple[Spec, ...]
    hub: tuple[HubModel, ...] = ()
    offered: tuple[Offered, ...] = ()
    drawers: tuple[Drawer, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what each spec says of itself, and what is known of the others."""
        names = ("name", "family", "tasks", "licence", "source", "revision", "note")
        return {
            "models": [{name: getattr(spec, name) for name in names} for spec in self.specs],
            "hub": [asdict(model) for model in self.hub],
            "addresses": [asdict(model) for model in self.offered],
            "drawers": [asdict(model) for model in self.drawers],
        }

    def __str__(self) -> str:
        blocks = []
        for spec in self.specs:
            lines = [f"{spec.name}  ({', '.join(spec.tasks)})", f"  licence: {spec.licence}"]
            blocks.append("\n".join([*lines, f"  {spec.note}"] if spec.note else lines))
        if self.hub:
            rows = [(m.name, ", ".join(m.tasks), m.about, m.licence) for m in self.hub]
            wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
            lines = [
                "  "
                + " ".join(f"{text:<{width}}" for text, width in zip(row, wide, strict=True))
                + f" {'here' if m.here else f'{m.megabytes:,} MB'}"
                for row, m in zip(rows, self.hub, strict=True)
            ]
            extra = "generate" if all(m.tasks == ("generate",) for m in self.hub) else "hub"
            title = (
                f'From the hub, or its cache on this machine (needs the extra: pip install "camera-lucida[{extra}]")'
            )
            blocks.append("\n".join([f"{title}:", *lines]))
        if self.offered:
            lines = [f"  {m.name:<28} {_price(m):<44} {_key(m)}" for m in self.offered]
            title = 'Behind an address; images are sent there (pip install "camera-lucida[vlm]")'
            blocks.append("\n".join([f"{title}:", *lines]))
        if self.drawers:
            lines = [f"  {m.name:<28} {m.note}{'' if m.ready else f' Set {m.key}.'}" for m in self.drawers]
            blocks.append("\n".join(["Behind an address, and drawing there:", *lines]))
        further = (
            "Any other: hf:org/name, timm:name, torchvision:NAME@FILE, a folder with a config.json, onnx:PATH with a"
            " small TOML beside it (a YOLO needs none), two as one (owlv2+sam2), api:MODEL@URL (docs/models.md)."
        )
        return "\n\n".join([*blocks, further])


def models(*, task: TaskName | None = None) -> ModelList:
    """List the models that there are: tasks, licences, what they cost, and what to know before relying on them.

    Args:
        task: Only those that can do this: "encode" (labels by example), "classify" (classes of their own), "words"
            (any words), "ask" (questions, with reasons), "tag" (several classes), "detect" (boxes), "segment" (pixels),
            "outline" (what a point or a box means), "anomaly" (what is odd), "caption", "answer", "read" (text),
            "faces" (whose face), "upscale", "denoise", "fill" (a better image), "generate" (pictures of what is asked
            for).
    """
    from lucida.models.registry import specs

    return ModelList(
        tuple(spec for spec in specs() if task is None or task in spec.tasks),
        tuple(model for model in _hub() if task is None or task in model.tasks),
        tuple(_offered()) if task in (None, "ask", "caption", "answer") else (),
        tuple(_drawers()) if task in (None, "generate") else (),
    )


def _hub() -> list[HubModel]:
    from lucida.models.hub.aliases import ALIASES
    from lucida.models.hub.download import is_cached
    from lucida.models.opencv_zoo.files import at_hand
    from lucida.models.opencv_zoo.known import KNOWN

    found = [
        HubModel(a.name, a.uri, tuple(a.tasks), a.about, a.licence, a.megabytes, is_cached(a.uri)) for a in ALIASES
    ]
    single = [
        HubModel(k.name, k.uri, (k.task,), k.about, k.licence, k.megabytes, at_hand(k) is not None) for k in KNOWN
    ]
    return [*found, *single, *_pipelines()]


def _pipelines() -> list[HubModel]:
    from lucida.models.diffusers.files import pipeline_in_cache
    from lucida.models.diffusers.known import KNOWN

    return [
        HubModel(k.name, f"hf:{k.repo}", ("generate",), k.about, k.licence, round(k.gigabytes * 1000),
                 pipeline_in_cache(k.repo) is not None)
        for k in KNOWN
    ]  # fmt: skip


def _offered() -> list[Offered]:
    import os

    from lucida.models.chat import Prompt
    from lucida.models.openai_api.address import read_address
    from lucida.models.openai_api.family import OpenAiFamily, api_spec

    usual = Prompt("What does the image show?", tuple(f"class {i}" for i in range(10)))
    found = []
    for name in OpenAiFamily().suggestions():
        address = read_address(name)
        price = address.offer.price
        cost = api_spec(name).load().expect(usual).cost
        found.append(
            Offered(
                name,
                address.host,
                address.key if address.needs_key else "",
                not address.needs_key or bool(os.environ.get(address.key)),
                None if price is None else (price.input, price.output),
                None if cost is None else round(1000 * cost, 2),
                address.provider.as_of,
            )
        )
    return found


def _drawers() -> list[Drawer]:
    import os

    from lucida.models.generator import GenerationRequest
    from lucida.models.openai_api.address import read_address
    from lucida.models.openai_api.drawing_needs import price_words
    from lucida.models.openai_api.family import OpenAiFamily
    from lucida.models.openai_api.options import USUAL

    found = []
    for name in OpenAiFamily().drawers():
        address = read_address(name)
        key = address.key if address.needs_key else ""
        note = price_words(address, USUAL, GenerationRequest()) or ""
        found.append(Drawer(name, address.host, key, not key or bool(os.environ.get(key)), note))
    return found


def _price(model: Offered) -> str:
    if model.price is None:
        return ""
    usual = f"${model.thousand:,.2f}" if model.thousand is not None else "?"
    return f"about {usual} for 1,000 images ({model.as_of})"


def _key(model: Offered) -> str:
    return "" if model.ready else f"set {model.key}"
