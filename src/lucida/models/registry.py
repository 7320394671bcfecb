"""Names to specs: each family is asked whether the name is its own."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from lucida.errors import UnknownName
from lucida.models.composed.family import ComposedFamily
from lucida.models.diffusers.family import DiffusersFamily
from lucida.models.embedded.family import EmbeddedFamily
from lucida.models.examples.family import ExamplesFamily
from lucida.models.generators.family import GeneratorsFamily
from lucida.models.hub.family import HubFamily
from lucida.models.ocr.family import OcrFamily
from lucida.models.onnx.family import OnnxFamily
from lucida.models.openai_api.family import OpenAiFamily
from lucida.models.opencv_zoo.family import ZooFamily
from lucida.models.restorers.family import RestorersFamily
from lucida.models.spandrel.family import SpandrelFamily
from lucida.models.spec import Spec
from lucida.models.torchvision.family import TorchvisionFamily
from lucida.models.trained.family import TrainedFamily


class Family(Protocol):
    """A folder of models of one kind."""

    name: str

    def names(self) -> list[str]:
        """Return the names of the models that are at hand by name."""
        ...

    def suggestions(self) -> list[str]:
        """Return further names that may be asked for, whose models are not at hand yet."""
        ...

    def claims(self, name: str) -> bool:
        """Tell whether a name is a model of this family."""
        ...

    def spec(self, name: str, home: Path | None = None) -> Spec:
        """Return the spec of a model of this family; `home` is where a catalog keeps models of its own."""
        ...

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licence of a model's weights; nothing is downloaded or converted for it."""
        ...


FAMILIES: tuple[Family, ...] = (
    EmbeddedFamily(),
    ExamplesFamily(),
    RestorersFamily(),
    GeneratorsFamily(),
    OcrFamily(),
    TrainedFamily(),
    DiffusersFamily(),
    ComposedFamily(),
    ZooFamily(),
    OnnxFamily(),
    TorchvisionFamily(),
    SpandrelFamily(),
    HubFamily(),
    OpenAiFamily(),
)

_HINT = "lucida models lists them; hf:org/name, timm:name, onnx:PATH and folders work as well"


def find(name: str, home: Path | None = None) -> Spec:
    """Return the spec of a model.

    Args:
        name: "embedded"; a training run or its folder; "onnx:PATH" for a TOML beside an ONNX file (or its folder, or
            the ONNX file); an alias such as "siglip2"; "hf:org/name" or "timm:name" from the hub or its cache; a
            folder with a config.json; "torchvision:NAME@FILE"; a restorer, FILE.safetensors; a detector and
            what outlines its boxes, "owlv2+sam2"; what draws, "sdxl", a folder with a model_index.json or
            "diffusers:org/name", with "+FOLDER" of a ControlNet of one's own;
            "gpt-4o" or "api:MODEL@URL" for one behind an address.
        home: Folder of the models of a catalog (`catalog.models`), so that a run's model is found wherever the
            catalog lies now; None where only models of the machine are meant.

    Raises:
        UnknownName: No family knows it; the nearest names are given.
        ModelError: Its files are missing or damaged.
    """
    for family in FAMILIES:
        if family.claims(name):
            return family.spec(name, home)
    known = [known for family in FAMILIES for known in (*family.names(), *family.suggestions())]
    raise UnknownName("model", name, known, hint=_HINT)


def claimed(name: str) -> bool:
    """Tell whether some family knows a name."""
    return any(family.claims(name) for family in FAMILIES)


def licence(name: str, home: Path | None = None) -> str:
    """Return the licence of a model's weights, without loading, downloading or converting it.

    Args:
        name: As for `find`.
        home: As for `find`.

    Raises:
        UnknownName: No family knows it.
        ModelError: Its files are missing or damaged.
    """
    for family in FAMILIES:
        if family.claims(name):
            return family.licence(name, home)
    raise UnknownName("model", name, [known for family in FAMILIES for known in family.names()])


def specs() -> list[Spec]:
    """Return the specs of all models that are at hand by name."""
    return [family.spec(name) for family in FAMILIES for name in family.names()]
