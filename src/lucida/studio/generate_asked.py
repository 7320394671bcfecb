"""What the Generate page asks for, as an order of the library, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

from lucida.errors import InputError
from lucida.studio.masking import read_mask, write_mask

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.generate import Order
    from lucida.generate.loras import LoraChoice
    from lucida.studio.given import GivenImages
    from lucida.studio.tray import Tray

# What stands in a request as it is typed.
WORDS: Final = ("prompt", "negative", "control", "strength", "steps", "guidance", "sampler", "size")
SLOTS: Final = ("image", "control_image", "reference")


class AskedLora(TypedDict):
    """A LoRA by its path or the id of its training, and how strongly it counts."""

    name: str
    weight: float


class Asked(TypedDict):
    """What is to be drawn; images as tokens of the shelf, `mask` as run lengths of a grid of the image's form."""

    model: str
    prompt: str
    negative: str
    n: int
    seed: int
    size: tuple[int, int] | None
    steps: int | None
    guidance: float | None
    strength: float | None
    sampler: str
    control: str
    image: str
    control_image: str
    reference: str
    mask: dict[str, Any] | None
    loras: list[AskedLora]
    agreed: bool


def order_of(asked: Asked, tray: Tray, given: GivenImages, catalog: Catalog) -> Order:
    """Return the order; its images are kept from then on.

    Args:
        asked: What the page says.
        tray: Has its images.
        given: Keeps them.
        catalog: Has LoRAs of its own.

    Raises:
        UnknownName: An image is not at hand any more.
        InputError: The mask does not fit, or nothing is asked for.
    """
    from lucida.generate import Order
    from lucida.generate.loras import find_lora

    images: dict[str, Path | bytes] = {}
    for slot in SLOTS:
        if asked[slot]:
            images[slot] = given.keep(tray.shelf.get(asked[slot]).path)
    if asked["mask"] is not None:
        images["mask"] = _mask(asked, tray, given)
    if not asked["prompt"].strip() and not images:
        raise InputError("Nothing is asked for.", expected="a prompt, or an image", got="neither")
    return Order(
        prompt=asked["prompt"].strip(),
        negative=asked["negative"].strip(),
        n=asked["n"],
        model=asked["model"],
        control=asked["control"] if "control_image" in images else "",
        strength=asked["strength"] if images else None,
        steps=asked["steps"],
        guidance=asked["guidance"],
        seed=asked["seed"],
        size=asked["size"],
        sampler=asked["sampler"],
        loras=tuple((find_lora(one["name"], catalog).resolve(), one["weight"]) for one in asked["loras"]),
        **images,
    )


def _mask(asked: Asked, tray: Tray, given: GivenImages) -> Path | bytes:
    if not asked["image"] or asked["mask"] is None:
        raise InputError("A mask needs an image.", expected="an image to begin from", got="a mask alone")
    source = tray.shelf.get(asked["image"])
    token, path = tray.shelf.place("mask.png")
    try:
        write_mask(asked["mask"], path, source.width, source.height)
        return given.keep(path)
    finally:
        tray.shelf.forget(token)


def recalled(request: dict[str, Any], tray: Tray, given: GivenImages, catalog: Catalog) -> dict[str, Any]:
    """Return an earlier request as the page's form shows it.

    Args:
        request: As `lucida.generate.Order.to_json` wrote it.
        tray: Takes its images.
        given: Finds them.
        catalog: Has LoRAs of its own.

    Returns:
        `words`, `loras`, `slots` (images as the page is told of them), `mask` as run lengths, and `missing`, the names
        of images and LoRAs that are not there any more.
    """
    words = {name: request[name] for name in WORDS if name in request}
    slots: dict[str, Any] = {}
    missing: list[str] = []
    sources = {name: request[name] for name in (*SLOTS, "mask") if name in request}
    if words.get("control") and "control_image" not in sources and "mask" not in sources and "image" in sources:
        # Such a request of the command line only takes from its image where things are.
        sources["control_image"] = sources.pop("image")
    mask = None
    for name, known in sources.items():
        data = given.find(known)
        if data is None:
            missing.append(name)
        elif name == "mask":
            mask = _read_mask(data, tray)
        else:
            slots[name] = tray.put(f"{name}.{_suffix(data)}", data)
    loras = loras_of(request, catalog)
    missing += [one["title"] for one in loras if not one["there"]]
    found = {"words": words, "slots": slots, "mask": mask if "image" in slots else None, "missing": missing}
    return found | {"loras": [one for one in loras if one["there"]]}


def loras_of(request: dict[str, Any], catalog: Catalog) -> list[dict[str, Any]]:
    """Return the LoRAs of a request as the page shows them, with their weights, and whether they are still there."""
    from lucida.generate.loras import known_as

    found = []
    for one in request.get("loras", ()):
        choice = known_as(Path(one["path"]), catalog)
        found.append(shown_lora(choice) | {"weight": one["weight"], "there": choice.file.is_file()})
    return found


def shown_lora(choice: LoraChoice) -> dict[str, Any]:
    """Return what the page is told of a LoRA."""
    return {"name": choice.name, "title": choice.title, "base": choice.base, "prompt": choice.prompt}


def _read_mask(data: bytes, tray: Tray) -> dict[str, Any]:
    token, path = tray.shelf.place("mask.png")
    try:
        path.write_bytes(data)
        return read_mask(path)
    finally:
        tray.shelf.forget(token)


def _suffix(data: bytes) -> str:
    from lucida.images import probe

    return probe(data).format.lower()
