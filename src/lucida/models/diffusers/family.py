"""Is this name a pipeline of diffusers, and what can it do?"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import MissingExtra, ModelError, UnknownName
from lucida.models.diffusers.files import (
    INDEX,
    check_safe,
    is_pipeline,
    pipeline,
    pipeline_in_cache,
    read_index,
)
from lucida.models.diffusers.known import BY_NAME, KNOWN, Known, known_as, of_repo
from lucida.models.diffusers.table import ENTRIES, FAMILIES, Family, family_of, for_inpainting, sampler_of
from lucida.models.generator import CONTROLS, GenerateNeeds
from lucida.models.hub.snapshot import UNSTATED, local, read_json
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Model, Precision, Spec, Trial

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX, HUB, JOINT = "diffusers:", "hf:", "+"
CONTROLNET: Final = "controlnet"
ADAPTER: Final = "*ip-adapter*.safetensors"
_REPO: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w.-]+)?")
LARGEST: Final = 4  # times the side that it draws best
SMALLEST: Final = 8  # of it
EIGHT: Final = 8
LATENTS: Final = 128  # a side, of the networks that do not say: FLUX and Qwen-Image


@dataclass(frozen=True)
class Source:
    """What a name stands for.

    Attributes:
        name: Under which it is found again.
        folder: Of the pipeline; None where it has to be downloaded.
        repo: On the hub; "" for a folder of one's own.
        revision: Of the repository; "" for the latest.
        known: Row of the table; None for others.
        controlnets: Folders of ControlNets of one's own, used for whatever control is asked for.
        adapter: Folder of an IP-Adapter of one's own; None without.
    """

    name: str
    folder: Path | None
    repo: str = ""
    revision: str = ""
    known: Known | None = None
    controlnets: tuple[Path, ...] = ()
    adapter: Path | None = None


class DiffusersFamily:
    """ "sdxl", a folder with a model_index.json, "diffusers:ORG/NAME"; "+FOLDER" adds a ControlNet or an IP-Adapter."""

    name = "diffusers"

    def names(self) -> list[str]:
        """Return none: which of the known ones are at hand is not known without looking."""
        return []

    def suggestions(self) -> list[str]:
        """Return names that may be asked for."""
        return [row.name for row in KNOWN]

    def claims(self, name: str) -> bool:
        """Tell whether a name is a pipeline of diffusers."""
        base = name if _is_folder(name) else name.split(JOINT)[0]
        plain = base.removeprefix(HUB)
        return (
            base.startswith(PREFIX)
            or _is_folder(base)
            or (known_as(base) is not None and not Path(base).exists())
            or (bool(_REPO.fullmatch(plain)) and not Path(base).exists() and is_pipeline(plain.partition("@")[0]))
        )

    def spec(self, name: str, home: Path | None = None) -> Spec:
        """Return the spec of a model; a known one is not downloaded for it, but when it is loaded.

        Raises:
            ModelError: It is not to be had, in pickle, needs code of its own, or is of a family that is unknown.
        """
        return spec_of(source_of(name))

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licence that the table states."""
        known = source_of(name, look=False).known
        return known.licence if known else UNSTATED


def _is_folder(name: str) -> bool:
    return (Path(name).expanduser() / INDEX).is_file()


def source_of(name: str, *, look: bool = True) -> Source:
    """Return what a name stands for.

    Args:
        name: As for `DiffusersFamily.claims`.
        look: Download what is not known by name, since nothing can be said of it otherwise.

    Raises:
        ModelError: It is not to be had, or what follows a plus is neither ControlNet nor IP-Adapter.
    """
    base, *more = [name] if _is_folder(name) else name.split(JOINT)
    plain = base.removeprefix(PREFIX)
    if _is_folder(plain):
        folder = Path(plain).expanduser().resolve()
        found = Source(str(folder), folder)
    else:
        known = known_as(plain)
        repo, _, revision = (known.repo if known else plain.removeprefix(HUB)).partition("@")
        if not known and not _REPO.fullmatch(repo):
            raise UnknownName(
                "model", plain, BY_NAME, hint="or diffusers:ORG/NAME, or a folder with a model_index.json"
            )
        folder_of = pipeline_in_cache(repo, revision or None)
        if folder_of is None and known is None and look:
            folder_of = pipeline(repo, "", revision or None)
        at = f"@{revision}" if revision else ""
        found = Source(
            known.name if known else f"{PREFIX}{repo}{at}", folder_of, repo, revision, known or of_repo(repo)
        )
    return _joined(found, more)


def _joined(source: Source, more: list[str]) -> Source:
    """Return a source with the folders that follow a plus."""
    for one in more:
        folder = Path(one).expanduser().resolve()
        if any(folder.glob(ADAPTER)):
            source = replace(source, adapter=folder)
        elif (folder / "config.json").is_file() and "ControlNet" in str(
            read_json(folder / "config.json").get("_class_name")
        ):
            source = replace(source, controlnets=(*source.controlnets, folder))
        else:
            raise ModelError(
                f"{one} is neither a ControlNet nor an IP-Adapter.",
                expected="a folder of a ControlNet (config.json), or of ip-adapter*.safetensors and image_encoder/",
                got="a folder without them" if folder.is_dir() else "no such folder",
                hint="--model sd15+FOLDER",
            )
        source = replace(source, name=f"{source.name}{JOINT}{folder}")
    return source


def spec_of(source: Source) -> Spec:
    """Return the spec of what a name stands for.

    Raises:
        ModelError: It is in pickle, needs code of its own, or is of a family that is unknown.
    """
    known = source.known
    if source.folder is None:
        assert known is not None, "others are downloaded before"
        needs, family, revision = _needs_of_row(known, source), known.family, "latest"
    else:
        family = family_in(source.folder)
        needs = needs_in(source.folder, family, source)
        revision = source.folder.name if source.repo else local(source.folder).revision
    revisions = [revision, *(local(folder).revision for folder in _own(source))]

    def build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
        try:
            from lucida.models.diffusers.model import build_model
        except MissingExtra:
            raise
        except ImportError as error:
            raise MissingExtra(error.name or "diffusers", "generate", f"Drawing with {source.name}") from error
        return build_model(spec, source, precision)

    return Spec(
        name=source.name,
        family=DiffusersFamily.name,
        tasks=("generate",),
        needs=ImageNeeds(max(needs.size)),
        gives=Gives(),
        licence=known.licence if known else UNSTATED,
        source=f"https://huggingface.co/{source.repo}" if source.repo else source.folder.name if source.folder else "",
        revision="+".join(revisions),
        note=f"{known.about[:1].upper()}{known.about[1:]}; {known.gigabytes:g} GB." if known else f"{family.name}.",
        build=build,
        generates=needs,
    )


def _own(source: Source) -> list[Path]:
    return [*source.controlnets, *([source.adapter] if source.adapter else [])]


def family_in(folder: Path) -> Family:
    """Return the family of a pipeline in a folder.

    Raises:
        ModelError: It is in pickle, needs code of its own, or is of a family that is unknown.
    """
    index = read_index(folder)
    family = family_of(index["_class_name"])
    if family is None:
        raise ModelError(
            f"A {index['_class_name']} is not drawn with here.",
            expected=f"a pipeline of {', '.join(family.name for family in FAMILIES)}",
            got=f"{index['_class_name']} in {folder / INDEX}",
            hint="lucida models --task generate lists what works",
        )
    check_safe(folder, index)
    network = folder / "unet" / "config.json"
    for_masks = network.is_file() and read_json(network).get("in_channels") == ENTRIES
    return for_inpainting(family) if for_masks else family


def _needs_of_row(known: Known, source: Source) -> GenerateNeeds:
    """Return what a known model can do, before it is downloaded."""
    side = known.side or known.family.side
    own = known.sampler
    return _needs(known.family, source, side, 8 * known.family.packed, own, known.family.guidance,
                  known.family.tokens, LARGEST * side)  # fmt: skip


def needs_in(folder: Path, family: Family, source: Source) -> GenerateNeeds:
    """Return what the pipeline in a folder can do, from its configurations.

    Raises:
        ModelError: One of them is damaged or missing.
    """
    with_unet = (folder / "unet").is_dir()
    network = read_json(folder / ("unet" if with_unet else "transformer") / "config.json")
    scale = _scale(read_json(folder / "vae" / "config.json"))
    side = (_side(network.get("sample_size")) or LATENTS) * scale
    schedule = read_json(folder / "scheduler" / "scheduler_config.json")
    own = sampler_of(family, str(schedule.get("_class_name")), schedule)
    # FLUX.1 [schnell] has no input for guidance, FLUX.1 [dev] has.
    guidance = 0.0 if network.get("guidance_embeds") is False and family.name == "FLUX.1" else family.guidance
    most = LARGEST * side
    if "pos_embed_max_size" in network:
        most = min(most, int(network["pos_embed_max_size"]) * int(network.get("patch_size", 2)) * scale)
    if source.known and source.known.lora:
        own = source.known.sampler
    # Pipelines of U-Nets ask for eighths, however few times their VAE halves.
    multiple = math.lcm(scale * family.packed, EIGHT if with_unet else 1)
    return _needs(family, source, side, multiple, own, guidance, _tokens(folder, family), most)


def _needs(
    family: Family, source: Source, side: int, multiple: int, own: str, guidance: float, tokens: int, most: int
) -> GenerateNeeds:
    known = source.known
    if known:
        side = known.side or side
        guidance = guidance if known.guidance is None else known.guidance
        tokens = min(tokens, known.tokens or tokens)
    controls: Mapping[str, Any] = known.followed if known else family.controlnets if source.repo else {}
    if source.controlnets or (source.folder and (source.folder / CONTROLNET).is_dir()):
        controls = CONTROLS
    styled = bool(source.adapter or (source.repo and (known.styled if known else family.adapter)))
    steps = known.steps if known and known.steps else family.steps if guidance or known else 4
    return GenerateNeeds(
        size=(side, side),
        multiple=multiple,
        least=-(-max(multiple, side // SMALLEST) // multiple) * multiple,
        most=most // multiple * multiple,
        steps=steps,
        most_steps=known.most_steps if known else 1000,
        guidance=guidance,
        negative=family.negative and guidance > 0,
        image="image" in family.pipelines,
        mask="mask" in family.pipelines,
        controls=tuple(kind for kind in CONTROLS if kind in controls) if "control" in family.pipelines else (),
        reference=styled,
        loras=True,
        samplers=tuple(dict.fromkeys([own, *family.samplers])),
        longest=tokens,
        together=1,
        terms=known.terms if known else "Nobody stated a licence here: read the model's own page before it is used.",
    )


def _side(size: object) -> int:
    """Return the side of latents that a network knows: a number, or height and width; 0 where it is not said."""
    return max(int(side) for side in size) if isinstance(size, list) and size else size if isinstance(size, int) else 0


def _scale(vae: Mapping[str, Any]) -> int:
    """Return how many pixels a latent stands for, along a side."""
    halvings = vae.get("temperal_downsample")
    if isinstance(halvings, list):
        return int(2 ** len(halvings))
    return int(2 ** (len(vae.get("block_out_channels", (0,) * 4)) - 1))


def _tokens(folder: Path, family: Family) -> int:
    """Return how many tokens of a prompt are read: what the family reads, or fewer."""
    if family.tokens > 77:
        return family.tokens
    file = folder / "tokenizer" / "tokenizer_config.json"
    most = read_json(file).get("model_max_length") if file.is_file() else None
    return min(family.tokens, most) if isinstance(most, int) else family.tokens
