"""The verb `generate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter

from lucida.errors import InputError

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.generate.generator import Drawn
    from lucida.generate.order import Order

SHOWN: Final = 20


@dataclass(frozen=True)
class GenerateResult:
    """What was drawn.

    Attributes:
        images: The pictures, in order of seeds; those of an earlier call included.
        run: Id of the run, which has the request.
        model: Name of the model.
        engine: What ran it; "" where nothing was left to be drawn.
        control: File of the control image; None without.
        terms: What the model's licence asks, where it was used for the first time.
        seconds: How long it took.
        notes: What a person should know, a sentence each.
    """

    images: tuple[Drawn, ...]
    run: str
    model: str
    engine: str
    control: Path | None
    terms: str
    seconds: float
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "images": [
                {"path": one.path.as_posix(), "seed": one.seed, "id": one.id, "size": list(one.size),
                 "known": one.known, **({"detail": one.detail} if one.detail else {})}
                for one in self.images
            ],
            "run": self.run,
            "model": self.model,
            "engine": self.engine,
            "control": self.control.as_posix() if self.control else None,
            "terms": self.terms,
            "seconds": self.seconds,
            "notes": list(self.notes),
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [f"{one.path}  (seed {one.seed})" for one in self.images[:SHOWN]]
        if len(self.images) > SHOWN:
            lines.append(f"… and {len(self.images) - SHOWN:,} more.")
        known = sum(one.known for one in self.images)
        if known:
            more = self.images[-1].seed + 1
            lines.append(
                f"{known:,} were drawn before: the same request has the same pictures; --seed {more} draws others."
            )
        if self.control:
            lines.append(f"Control image: {self.control}")
        return "\n".join([*lines, *self.notes])


def generate(
    prompt: str = "",
    *,
    number: Annotated[int, Parameter(alias="-n")] = 1,
    model: str = "",
    negative: str = "",
    image: Path | None = None,
    mask: Path | None = None,
    control: str = "",
    control_image: Path | None = None,
    reference: Path | None = None,
    strength: float | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    sampler: str = "",
    size: tuple[int, int] | None = None,
    lora: list[str] | None = None,
    seed: int | None = None,
    again: str = "",
    metadata: Literal["full", "marked"] = "full",
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    catalog: Path | None = None,
) -> GenerateResult:
    """Draw pictures from words, from an image, under a mask, or along edges, a sketch, depth.

    Every picture is kept in the catalog with its request. Picture i has the seed `seed` + i and is the same whether
    drawn alone or with others; the same call again goes on where it was stopped.

    Args:
        prompt: What is to be seen, in words.
        number: How many pictures.
        model: "embedded" (the default, small, offline, a few classes), a training run, a name such as "sd15", "sdxl",
            "flux-schnell", "qwen-image", a folder or "diffusers:ORG/NAME", "gpt-image-1", "api:MODEL@URL".
        negative: What is not to be seen.
        image: Begin from this image; with a mask, change it there; with a control, follow what is in it.
        mask: White where the image is to be drawn anew; all else stays as it is, byte for byte.
        control: What of the image the picture follows: "canny" (edges), "scribble" (a sketch), "depth".
        control_image: A control image that is ready, instead of one made of `image`.
        reference: Take the style from this image.
        strength: From an image: how far it may change, 0 to 1. With a control: how strongly it counts.
        steps: Steps of the sampler: more take longer and are finer, up to a point.
        guidance: How strongly the prompt counts.
        sampler: Name of the sampler.
        size: Width and height in pixels.
        lora: LoRAs: FILE.safetensors or a run of `lucida train lora`; with =0.8 behind it for how strongly it counts.
        seed: Of the first picture; 0 by default.
        again: A PNG that was drawn, or the content id of one: draw by its request; other options change it.
        metadata: What stands in the files: "full", all that is needed to draw them again; or only that they are
            synthetic ("marked").
        out: A folder, or a PNG file for one picture; a folder of the catalog by default.
        catalog: Folder of the catalog; LUCIDA_CATALOG or ./lucida-catalog by default. It is made where there is none.

    Raises:
        InputError: What is asked cannot be.
        ImageError: An image cannot be read.
        UnknownName: No such model, control or sampler.
        ModelError: The model cannot do this.
        MissingExtra: The model needs a package that is not installed.
    """
    import time

    from lucida.catalog import Catalog
    from lucida.generate.generator import Generator, control_file
    from lucida.generate.loras import find_lora
    from lucida.generate.order import Order
    from lucida.progress import track

    if number < 1:
        raise InputError("So many pictures are not drawn.", expected="-n of at least 1", got=str(number))
    given: dict[str, Any] = {
        "prompt": prompt, "negative": negative, "model": model, "image": image, "mask": mask, "control": control,
        "control_image": control_image, "reference": reference, "strength": strength, "steps": steps,
        "guidance": guidance, "sampler": sampler, "size": size, "seed": seed,
    }  # fmt: skip
    wishes = {name: value for name, value in given.items() if value not in ("", None)}
    if not again and not ({"prompt", "image", "control_image", "reference"} & set(wishes)) and not model:
        raise InputError("Nothing is asked for.", expected="a prompt", got="none", hint='lucida generate "a red truck"')
    weights = _weights(lora or [])
    began = time.monotonic()
    with Catalog.open(catalog, create=True) as opened:
        if weights:
            wishes["loras"] = tuple((find_lora(name, opened), weight) for name, weight in weights)
        order = _again(opened, again, wishes, number) if again else Order(n=number, **wishes)
        drawing = Generator(order, opened, out=out, told=metadata == "full")
        terms = _say_terms(drawing)
        control_at = control_file(drawing, opened.runs.folder(drawing.run.id))
        images: list[Drawn] = []
        with track("Drawing", number * 100, unit="%") as step:
            shown = 0

            def said(done: float) -> None:
                nonlocal shown
                step(round(done * 100) - shown)
                shown = round(done * 100)

            images += drawing.draw(said)
        new = any(not one.known for one in images)
        return GenerateResult(
            tuple(sorted(images, key=lambda one: one.seed)),
            drawing.run.id,
            drawing.spec.name,
            drawing.engine if new else "",
            control_at,
            terms,
            round(time.monotonic() - began, 3),
            drawing.notes,
        )


def _weights(given: list[str]) -> list[tuple[str, float]]:
    """Return the names of LoRAs with how strongly each counts."""
    found = []
    for one in given:
        name, _, weight = one.rpartition("=") if "=" in one and not Path(one).exists() else (one, "", "1")
        try:
            found.append((name, float(weight)))
        except ValueError as error:
            raise InputError(
                "A LoRA's weight is no number.", expected="FILE.safetensors=0.8", got=one, hint="--lora FILE alone is 1"
            ) from error
    return found


def _say_terms(drawing: Any) -> str:
    """Say what a model's licence asks before it is first used for a catalog."""
    if not drawing.new or not drawing.terms:
        return ""
    from rich.console import Console
    from rich.markup import escape

    said = f"{drawing.spec.name}: {drawing.spec.licence}. {drawing.terms}"
    Console(stderr=True, highlight=False, soft_wrap=True).print(escape(said))
    return said


def _again(catalog: Catalog, name: str, changes: dict[str, Any], number: int) -> Order:
    """Return the order of a picture, with changes."""
    from lucida.generate import records, writing
    from lucida.generate.order import IMAGES, order_of
    from lucida.images import read

    story = writing.story_of(read(name)) if Path(name).is_file() else records.story(catalog, name)
    words = story["request"]
    images: dict[str, Any] = {}
    for field in IMAGES:
        if field in words and field not in changes:
            images[field] = _find_image(catalog, field, words[field])
    kept = {"model": story["model"], "seed": int(story["seed"]), "n": number}
    return order_of(words, images, **{**kept, **changes})


def _find_image(catalog: Catalog, field: str, known: dict[str, str]) -> bytes:
    """Return the bytes of an image of an earlier request: from the catalog, or from where it was."""
    from lucida.errors import ImageError, LucidaError
    from lucida.images import content_id, read

    try:
        return catalog.images.read(known["id"])
    except LucidaError:
        path = Path(known.get("path") or "?")
        try:
            data = read(str(path))
        except ImageError:
            data = b""
    if content_id(data) != known["id"]:
        raise InputError(
            f"The {field.replace('_', ' ')} of that request is not there any more.",
            expected=f"the image {known['id'][:12]}, which was {known.get('path') or 'not a file'}",
            got="another file" if data else "no such file",
            hint=f"--{field.replace('_', '-')} FILE, or `lucida add` the folder that it lies in now",
        )
    return data
