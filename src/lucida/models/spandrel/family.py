"""Is this name a file of weights of a restorer, and how is it built?"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import MissingExtra, ModelError
from lucida.models.hub.snapshot import PICKLE, UNSTATED
from lucida.models.restorer import RestoreNeeds
from lucida.models.spec import Gives, Model, Precision, Spec, Task, Trial

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "spandrel:"
SUFFIX: Final = ".safetensors"
_TASKS: Final[Mapping[str, tuple[Task, ...]]] = {
    "SR": ("upscale",),
    "FaceSR": ("upscale",),
    "Restoration": ("denoise",),
    "Inpainting": ("fill",),
}
# Nobody says how far an architecture sees: tiles keep this distance from what is cut off, and fade into each other.
HALO: Final = 32
BLEND: Final = 16
TILE: Final = 256
WHOLE: Final = 768  # side of the tiles of those that look at the whole image
SHOWN: Final = 6  # names of weights in a message


class SpandrelFamily:
    """ "FILE.safetensors" or "spandrel:FILE": the architecture is read off the names and shapes of the weights."""

    name = "spandrel"

    def names(self) -> list[str]:
        """Return none: weights lie wherever their owner put them."""
        return []

    def suggestions(self) -> list[str]:
        """Return none."""
        return []

    def claims(self, name: str) -> bool:
        """Tell whether a name is that of a file of weights, pickle included, which is then refused."""
        return name.startswith(PREFIX) or Path(name).suffix.lower() in (SUFFIX, *PICKLE)

    def spec(self, name: str, home: Path | None = None) -> Spec:
        """Return the spec of a model; its weights are read for it.

        Raises:
            ModelError: There is no such file, it is pickle or damaged, or spandrel knows no such architecture.
            MissingExtra: PyTorch or spandrel is not installed.
        """
        path = Path(name.removeprefix(PREFIX)).expanduser()
        check_file(path)
        status = path.stat()
        return _spec(path.resolve(), status.st_mtime_ns, status.st_size)

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return that nobody said: weights tell no licence."""
        return UNSTATED


def check_file(path: Path) -> None:
    """Refuse pickle, and what is not there.

    Raises:
        ModelError: It is one of both.
    """
    if path.suffix.lower() in PICKLE:
        raise ModelError(
            f"{path} is pickle, which can run any code when it is read.",
            expected="weights in safetensors",
            got=path.name,
            hint=f"where you trust it, convert it once: {conversion(path)} and then --model {path.with_suffix(SUFFIX)}",
        )
    if not path.is_file():
        raise ModelError(
            f"There is no model at {path}.",
            expected=f"a file of weights, {SUFFIX}",
            got="a folder" if path.is_dir() else "no such file",
            hint="--model RealESRGAN_x4plus.safetensors; --model embedded works offline",
        )


def conversion(path: Path) -> str:
    """Return the command that brings published weights into safetensors; it loads tensors only, and runs no code."""
    code = (
        f"import torch, safetensors.torch as s; w = torch.load({path.name!r}, 'cpu', weights_only=True);"
        " w = next((w[k] for k in ('params_ema', 'params', 'state_dict') if k in w), w);"
        f" s.save_file({{k: v.clone() for k, v in w.items() if hasattr(v, 'clone')}}, {path.stem + SUFFIX!r})"
    )
    return f'python -c "{code}"'


@lru_cache(maxsize=4)
def _spec(path: Path, modified: int, size: int) -> Spec:
    found = describe(path)
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()[:12]
    needs = found.needs

    def build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
        from lucida.models.spandrel.model import SpandrelModel

        return SpandrelModel(spec, path, precision)

    return Spec(
        name=str(path),
        family=SpandrelFamily.name,
        tasks=_TASKS[found.purpose],
        needs=needs.image,
        gives=Gives(scale=found.scale),
        licence=UNSTATED,
        source=f"{path.name}, {found.architecture} by spandrel",
        revision=digest,
        note=f"{found.architecture}{' ' + found.tags if found.tags else ''}, runs in PyTorch.",
        build=build,
        restores=needs,
    )


def describe(path: Path) -> Any:
    """Return what spandrel says of a file of weights.

    Raises:
        ModelError: It is damaged, or of an architecture that spandrel does not know.
        MissingExtra: PyTorch or spandrel is not installed.
    """
    try:
        from lucida.models.spandrel.model import describe as look
    except MissingExtra:
        raise
    except ImportError as error:
        raise MissingExtra(error.name or "spandrel", "restore", f"Running {path.name}") from error
    return look(path)


def needs_for(
    *, channels: int, minimum: int, multiple: int, windows: tuple[int, ...], square: bool, whole: bool, noise: bool
) -> RestoreNeeds:
    """Return what a model needs of a piece of an image, from what spandrel says of it."""
    # Attention in windows sees other pixels together where a tile begins elsewhere.
    grid = math.lcm(multiple, *windows)
    side = WHOLE if whole else TILE
    tile = max(grid, side // grid * grid)
    halo = -(-HALO // grid) * grid
    return RestoreNeeds(channels=channels, multiple=multiple, grid=grid, halo=halo, tile=tile, blend=BLEND,
                        least=max(1, minimum), whole=whole, square=square, noise=noise)  # fmt: skip
