"""The verb `restore`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from lucida.restore.restorer import Restored

SHOWN = 20  # images printed one by one


@dataclass(frozen=True)
class RestoreResult:
    """What became of all images.

    Attributes:
        written: Files with the results, in order; those of an earlier call included.
        restored: What was done now, by the path of the image.
        known: How many were there already from an earlier call.
        skipped: Images of which nothing could be made, and why.
        models: Names of the models, in the order in which images went through them.
        engine: What ran them; "" where nothing was left to be done.
        seconds: How long it took.
        notes: What a person should know, a sentence each.
    """

    written: tuple[Path, ...]
    restored: dict[str, Restored]
    known: int
    skipped: dict[str, str]
    models: tuple[str, ...]
    engine: str
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 where nothing could be made of any image."""
        return 1 if self.skipped and not self.written else 0

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "written": [path.as_posix() for path in self.written],
            "images": [
                {
                    "path": path,
                    "written": one.written.as_posix(),
                    "from": list(one.size),
                    "to": list(one.became),
                    "noise": one.noise,
                    "frames": one.frames,
                    "notes": list(one.notes),
                }
                for path, one in self.restored.items()
            ],
            "known": self.known,
            "skipped": self.skipped,
            "models": list(self.models),
            "engine": self.engine,
            "seconds": self.seconds,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = []
        for path, one in list(self.restored.items())[:SHOWN]:
            size = f"{one.size[0]} x {one.size[1]}"
            became = f"{size} to {one.became[0]} x {one.became[1]}" if one.became != one.size else size
            noise = f", noise {one.noise:g} taken out" if one.noise else ""
            moving = f", {one.frames} frames" if one.frames > 1 else ""
            lines.append(f"{path}: {became}{moving}{noise}, in {one.written}")
            lines += [f"  {note}" for note in one.notes]
        if len(self.restored) > SHOWN:
            lines.append(f"… and {len(self.restored) - SHOWN:,} more.")
        if self.known:
            lines.append(f"{self.known:,} were done before.")
        lines += [f"{path}: {why}" for path, why in list(self.skipped.items())[:SHOWN]]
        if len(self.skipped) > SHOWN:
            lines.append(f"… and {len(self.skipped) - SHOWN:,} more that could not be read: --json gives all.")
        return "\n".join([*lines, *self.notes])


def restore(
    *paths: str | Path,
    upscale: float = 1.0,
    denoise: float | bool | Literal["auto"] | None = None,
    fill: Path | None = None,
    model: str = "",
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto",
    catalog: Path | None = None,
) -> RestoreResult:
    """Make images larger, take out noise, fill holes; offline, of any size, animations frame by frame.

    Transparency, 16 bits, grey, EXIF and colour profiles stay. The same call again goes on where it was stopped.

    Args:
        paths: Images: files, folders, patterns, archives.
        upscale: How many times wider and higher, 1 to 16; 2 and 4 have models of their own, others are made of these.
        denoise: Take out noise: its standard deviation in grey levels of 0..255, or nothing to have it estimated.
        fill: Fill what this image covers: white is filled, black stays. Or a folder of such, named like the images.
        model: "embedded" (the default, faithful to clean images), "embedded-real" (photos with blur, noise and JPEG
            blocks), FILE.safetensors of any architecture that spandrel knows, "onnx:PATH", or a training run.
        out: A file for one image, a folder for several; beside the images by default. The suffix says the format.
        precision: Arithmetic of the models; "auto" measures which is fast and gives the images of fp32.
        catalog: Where models of one's own lie; LUCIDA_CATALOG or ./lucida-catalog by default.

    Raises:
        InputError: Nothing to do, a factor, level or mask that cannot be.
        ImageError: The one image cannot be read, or would become too large.
        UnknownName: No such model.
        ModelError: The model does not do this, or has no scale for it.
        MissingExtra: The model needs a package that is not installed.
    """
    from lucida.restore.job import run_job
    from lucida.restore.plan import Wish
    from lucida.runs.files import home_of

    level = "auto" if denoise is True else None if denoise is False else denoise
    wish = Wish(float(upscale), level, fill, model, precision)
    restorer, done, seconds = run_job(paths, wish, out=out, home=home_of(catalog))
    restored = {one.path: one.restored for one in done if one.restored is not None}
    return RestoreResult(
        tuple(one.written for one in done if one.written is not None),
        restored,
        sum(one.written is not None and one.restored is None for one in done),
        {one.path: one.problem for one in done if one.problem},
        tuple(stage.spec.name for stage in restorer.plan.stages),
        next((one.engine for one in restored.values()), ""),
        round(seconds, 3),
        restorer.plan.notes,
    )
