"""Train a LoRA on a few photos: what a word that meant nothing stands for from now on."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from lucida.errors import InputError
from lucida.generate.loras import FILE
from lucida.models.quiet import quiet
from lucida.train.device import mixed_precision
from lucida.train.personalise import export
from lucida.train.personalise.adapter import Adapter
from lucida.train.personalise.beginning import find_base, load_pipeline, side_of
from lucida.train.personalise.drawing import Easel
from lucida.train.personalise.likeness import Figures, Judge, proposed
from lucida.train.personalise.photos import captioned, captioner, read_photos, square
from lucida.train.personalise.sheet import read_pictures, write_picture, write_sheet
from lucida.train.personalise.token import class_word, remarks
from lucida.train.recipe import Recipe
from lucida.train.standing import PLAN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.diffusers.memory import Kind
    from lucida.train.request import Request
    from lucida.train.settings import Settings
    from lucida.train.standing import State

    Pixels = NDArray[np.uint8]

MODEL: Final = "sd15"
RANK: Final = 16
MOST_RANK: Final = 256
CHECKPOINTS: Final = 6  # that are compared
PASSES: Final = 200  # over the photos at most: beyond, they are learned by heart
DECAY: Final = 0.01
PRIOR: Final = 4  # pictures of the class for each photo
MOST_PRIOR: Final = 100
SCENES: Final = ("a photo of {}", "a photo of {} on a beach", "a painting of {}", "a photo of {} in the snow")
PLAIN: Final = 2  # pictures of the class at every checkpoint
SEED: Final = 1_000_000  # of the pictures that are compared; those of the prior begin at 0
KINDS: Final[dict[str, Kind]] = {"no": "fp32", "bf16": "bf16", "fp16": "fp16"}
CPU: Final = torch.device("cpu")
SAMPLES, CHECKPOINT, PRIORS = "samples", "checkpoints", "prior"


@dataclass(frozen=True, eq=False)
class Shown:
    """Pictures of one evaluation."""

    figures: Figures
    pictures: list[Pixels]
    plain: list[Pixels]


class LoraRecipe(Recipe):
    """A LoRA of one thing, person or style.

    All that is frozen is computed once: latents of the photos, vectors of the words. Of the network only the
    low-rank weights are trained and kept.

    Args:
        request: What is asked; `extra` has "token", "prior" and "rank".

    Raises:
        InputError: There is no photo that can be read, no token, or a number is out of range.
        ModelError: The model is none that can be taught.

    Source: Ruiz et al. 2023, DreamBooth; Hu et al. 2022, LoRA.
    """

    monitor = "score"
    rate = 1e-4
    batch = 1
    # In the few steps of a search all rates look alike.
    spread = 1.0

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.token = " ".join(str(request.extra.get("token") or "").split())
        self.prior = " ".join(str(request.extra.get("prior") or "").split())
        self.rank = int(request.extra.get("rank") or RANK)
        self._check(request)
        self.seed, self.folder, self.origin = request.seed, request.folder, request.samples.origin
        self.photos, unread = read_photos(request.train)
        self.skipped |= unread
        self.notes += [f"{name} is left out: {why}" for name, why in unread.items()]
        self.base = find_base(request.model or MODEL)
        self.side = side_of(self.base, request.size)
        self.notes += [*self.base.notes, *remarks(self.token)]
        spec = captioner()
        said = captioned(self.photos, self.folder, spec)
        self.captions = [f"a photo of {self.token}{f', {caption}' if caption else ''}" for caption in said]
        if not any(said):
            self.notes.append("No caption model is on this machine: every photo is called the same.")
        self.plain = f"a photo of {self.prior or class_word(self.token)}"
        self.shown: Shown | None = None

    def _check(self, request: Request) -> None:
        if not self.token:
            raise InputError(
                "There is no token: words that call what is learned by name.",
                expected='a rare word and its class, such as "sks bag"',
                got="none",
                hint='--token "sks bag"',
            )
        if not 1 <= self.rank <= MOST_RANK:
            raise InputError("The rank is out of range.", expected=f"1 to {MOST_RANK}", got=str(self.rank))

    def __len__(self) -> int:
        return len(self.photos)

    # Training

    def fit(self, settings: Settings, folder: Path) -> State:
        """Prepare latents and words, then train as the shared loop does, without an average of the weights."""
        # Of several processes each has a device of its own.
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else CPU
        kind = KINDS[mixed_precision(settings.arithmetic)] if device.type == "cuda" else "fp32"
        self.easel = Easel(self.base, load_pipeline(self.base, kind), device)
        scenes = [scene.format(self.token) for scene in SCENES]
        self.easel.read([*self.captions, *scenes, self.plain])
        self.latents = self.easel.latents([square(photo.pixels, self.side) for photo in self.photos])
        priors = self._priors(folder / PRIORS)
        self.priors = self.easel.latents(priors) if priors else None
        untaught = [self.easel.draw(self.plain, SEED + number, self.side) for number in range(PLAIN)]
        self.judge = Judge([square(photo.pixels, self.side) for photo in self.photos], [*untaught, *priors])
        self.place = folder
        torch.manual_seed(self.seed)
        with quiet():
            self.network = Adapter(self.easel.denoiser, self.base.teaching.layers, self.rank)
        if device.type == "cuda" and hasattr(self.easel.denoiser, "enable_gradient_checkpointing"):
            self.easel.denoiser.enable_gradient_checkpointing()
        most = min(settings.most_epochs, PASSES)
        # What is drawn is decoded already: no other process has to prepare it.
        changed = replace(settings, most_epochs=most, rounds=CHECKPOINTS, weight_decay=DECAY, horizon=0.0, workers=0)
        return super().fit(changed, folder)

    def _priors(self, folder: Path) -> list[Pixels]:
        """Return pictures of the class by the model itself, drawn once: what it must not forget."""
        if not self.prior:
            return []
        count = min(MOST_PRIOR, PRIOR * len(self.photos))
        found = read_pictures(folder, count)
        for number in range(len(found), count):
            found.append(self.easel.draw(self.plain, number, self.side))
            write_picture(folder / f"{number:04d}.png", found[-1])
        return found

    def example(self, row: int) -> tuple[int, int]:
        """Return the numbers of a photo and of a picture of the class; -1 without these."""
        other = -1 if self.priors is None else int(torch.randint(len(self.priors), ()))
        return row, other

    def collate(self, examples: list[Any]) -> dict[str, Tensor]:
        rows, others = (torch.tensor(numbers) for numbers in zip(*examples, strict=True))
        return {"rows": rows, "others": others}

    def loss(self, network: nn.Module, batch: Any) -> dict[str, Tensor]:
        rows, others = batch["rows"].cpu(), batch["others"].cpu()
        lost = self._lost(
            network, self.latents[rows], [self.captions[row] for row in rows.tolist()], batch["rows"].device
        )
        if self.priors is None:
            return {"loss": lost}
        kept = self._lost(network, self.priors[others], [self.plain] * len(others), batch["rows"].device)
        return {"loss": lost + kept, "photos": lost.detach(), "prior": kept.detach()}

    def _lost(self, network: nn.Module, latents: Tensor, texts: list[str], device: torch.device) -> Tensor:
        teaching, adapter = self.base.teaching, self.network
        assert isinstance(adapter, Adapter), "made in fit"
        adapter.place(device)
        kind = next(adapter.denoiser.parameters()).dtype
        noisy, time, goal = self.easel.noised(latents)
        words = self.easel.words(texts, device, kind)
        found = teaching.predict(network, noisy.to(device, kind), time.to(device), words)
        # A network that also learned variances gives twice the channels.
        return nn.functional.mse_loss(found[:, : goal.shape[1]].float(), goal.to(device).float())

    # Comparing

    def measure(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Draw what has been learned and the plain class, and return how alike, how varied, how overfit that is."""
        adapter = network
        assert isinstance(adapter, Adapter), "made in fit"
        with adapter.inside():
            pictures = [
                self.easel.draw(scene.format(self.token), SEED + number, self.side)
                for number, scene in enumerate(SCENES)
            ]
            plain = [self.easel.draw(self.plain, SEED + number, self.side) for number in range(PLAIN)]
        figures = self.judge.figures(0, pictures, plain)
        self.shown = Shown(figures, pictures, plain)
        if not (self.place / PLAN).exists():
            # How long an evaluation takes is measured before anything is learned.
            self._keep("untaught", self.shown)
        return {name: value for name, value in figures.to_json().items() if name != "step"}

    def evaluated(self, network: nn.Module, step: int, folder: Path) -> None:
        """Keep the checkpoint as a LoRA of its own, with its figures and a sheet of its pictures."""
        assert isinstance(network, Adapter), "made in fit"
        assert self.shown is not None, "measured before"
        name = f"step-{step:06d}"
        with network.inside():
            export.write_lora(folder / CHECKPOINT / f"{name}.safetensors", self.easel, self._about(step))
        self._keep(name, replace(self.shown, figures=replace(self.shown.figures, step=step)))

    def _keep(self, name: str, shown: Shown) -> None:
        write_sheet(self.place / SAMPLES / f"{name}.png", [shown.pictures, shown.plain])
        export.write_json(self.place / SAMPLES / f"{name}.json", shown.figures.to_json())

    def rows(self) -> list[Figures]:
        """Return the figures of the untaught model and of all checkpoints, in their order."""
        files = (self.place / SAMPLES).glob("*.json")
        found = [Figures(**json.loads(file.read_text(encoding="utf-8"))) for file in files]
        return sorted(found, key=lambda row: row.step)

    def export(self, folder: Path) -> dict[str, Any]:
        """Write the best checkpoint as a file that diffusers reads, and what should be known of it."""
        assert isinstance(self.network, Adapter), "made in fit"
        rows = self.rows()
        best = proposed([row for row in rows if row.step])
        about = self._about(best.step if best else 0)
        with self.network.inside():
            export.write_lora(folder / FILE, self.easel, about)
        export.write_json(folder / export.CARD, {**about, "checkpoints": [row.to_json() for row in rows]})
        self.notes += [f"{row}{' (proposed)' if row == best else ''}" for row in rows]
        if best and best.copies:
            self.notes.append("Even the proposed checkpoint copies photos: more of them, or fewer passes, may help.")
        return {}

    def _about(self, step: int) -> dict[str, Any]:
        return {
            "base": self.base.name,
            "family": self.base.teaching.name,
            "licence": f"that of its base: {self.base.licence}",
            "token": self.token,
            "class": self.plain.removeprefix("a photo of "),
            "prompt": f"a photo of {self.token}",
            "rank": self.rank,
            "side": self.side,
            "step": step,
            "photos": len(self.photos),
            "prior": 0 if self.priors is None else len(self.priors),
        }


def lora(request: Request) -> LoraRecipe:
    """Return the recipe for a LoRA from a few photos."""
    return LoraRecipe(request)
