"""Is this name a model of torchvision, and how is it built?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from lucida.errors import MissingExtra, ModelError, UnknownName
from lucida.models.cache import cache_folder
from lucida.models.hub.aliases import alias_of
from lucida.models.hub.snapshot import PICKLE, UNSTATED, digest_of
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Model, Precision, Spec, Task, Trial
from lucida.models.torchvision.table import MODELS, Way, classes_of, read_shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "torchvision:"
PUBLISHED: Final = "BSD-3-Clause"  # of torchvision and of what it publishes
_TASKS: Final[Mapping[Way, tuple[Task, ...]]] = {
    "boxes": ("detect",),
    "masks": ("detect", "segment"),
    "pixels": ("segment",),
}
_MEAN: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class TorchvisionFamily:
    """ "torchvision:NAME" with its weights in the cache, or "torchvision:NAME@FILE.safetensors"."""

    name = "torchvision"

    def names(self) -> list[str]:
        """Return none: whose weights are at hand is not known without looking."""
        return []

    def suggestions(self) -> list[str]:
        """Return names that may be asked for; the short ones are among the aliases of the hub."""
        return [f"{PREFIX}{name}" for name in MODELS]

    def claims(self, name: str) -> bool:
        """Tell whether a name is a model of this family."""
        if name.startswith(PREFIX):
            return True
        known = alias_of(name.partition("@")[0])
        return known is not None and known.uri.startswith(PREFIX)

    def spec(self, name: str, home: Path | None = None) -> Spec:
        """Return the spec of a model; nothing is loaded for it.

        Raises:
            UnknownName: torchvision has no such model, or none that finds or segments.
            ModelError: Its weights are missing, in pickle, or those of another model.
        """
        network, file = resolve(name)
        entry = MODELS[network]
        classes = classes_of(network, file, read_shapes(file))

        def build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
            try:
                from lucida.models.torchvision.model import TorchvisionModel
            except MissingExtra:
                raise
            except ImportError as error:
                raise MissingExtra(error.name or "torchvision", "hub", f"Running {spec.name}") from error
            return TorchvisionModel(spec, network, file, precision)

        mean, std = _MEAN
        return Spec(
            name=f"{PREFIX}{network}@{file.resolve()}" if file != default_file(network) else f"{PREFIX}{network}",
            family=self.name,
            tasks=_TASKS[entry.way],
            needs=ImageNeeds(entry.side, resize="fit", interpolation="bilinear", mean=mean, std=std),
            gives=Gives(classes=classes, least=0.0 if entry.way == "pixels" else 0.5),
            licence=self.licence(name),
            source=f"torchvision {network}",
            revision=digest_of(file)[:12],
            note="Runs in PyTorch, with the transforms and the decoding of torchvision.",
            build=build,
        )

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licence of what torchvision publishes; of weights of one's own none is known."""
        return UNSTATED if "@" in name else PUBLISHED


def default_file(network: str) -> Path:
    """Return where the weights of a model lie that is named without a file."""
    return cache_folder() / "torchvision" / f"{network}.safetensors"


def resolve(name: str) -> tuple[str, Path]:
    """Return the model and the file of a name.

    Raises:
        UnknownName: There is no such model.
        ModelError: There is no such file, or it is pickle.
    """
    plain, _, given = name.partition("@")
    known = alias_of(plain)
    network = (known.uri if known and known.uri.startswith(PREFIX) else plain).removeprefix(PREFIX)
    if network not in MODELS:
        raise UnknownName("model of torchvision", network, MODELS, hint="classifiers: timm:NAME")
    file = Path(given).expanduser() if given else default_file(network)
    if file.is_dir():
        file = file / "model.safetensors"
    if file.suffix in PICKLE:
        raise ModelError(
            f"{file} is pickle, which can run any code when it is read.",
            expected="weights in safetensors",
            got=file.name,
            hint="where you trust it, convert it once: save_file(torch.load(FILE, weights_only=True), NEW) with"
            f" safetensors.torch.save_file, then --model {PREFIX}{network}@NEW",
        )
    if not file.is_file():
        raise ModelError(
            f"The weights of {network} are not on this machine, and torchvision publishes them in pickle only.",
            expected=f"{file}" + ("" if given else f", or {PREFIX}{network}@FILE.safetensors"),
            got="no such file",
            hint=f"where you trust torchvision, convert them once: {conversion(network, default_file(network))}",
        )
    return network, file


def conversion(network: str, file: Path) -> str:
    """Return the command that brings published weights into safetensors."""
    code = (
        "import pathlib, torchvision, safetensors.torch as s;"
        f" f = pathlib.Path({str(file)!r}); f.parent.mkdir(parents=True, exist_ok=True);"
        f" s.save_file(torchvision.models.get_model({network!r}, weights='DEFAULT').state_dict(), f)"
    )
    return f'python -c "{code}"'
