"""Train a generator on images: with their classes where these are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

from lucida.data.sample import TRAIN, VALIDATION
from lucida.errors import InputError
from lucida.evaluate.metrics.generation import kernel_distance
from lucida.train.beginning import Built, load_matching
from lucida.train.generative import export, methods
from lucida.train.generative.drawing import draw
from lucida.train.generative.examples import Example, Images, as_pixels, batch_of, make_example, on_range
from lucida.train.generative.judge import FEATURES, Judge
from lucida.train.generative.sheets import by_class, write_sheet
from lucida.train.generative.space import open_space
from lucida.train.recipe import Recipe
from lucida.train.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from lucida.train.request import Request
    from lucida.train.standing import State
    from lucida.train.trained import Trained

USUAL: Final = "flow"
SIDE: Final = 32
SAMPLES: Final = "samples"  # folder of a run
DRAWN: Final = 256  # pictures at each evaluation, at most
HELD_OUT: Final = 2048  # images that they are compared with, at most
LEAST_HELD: Final = 8
PASSES: Final = 4  # as many times more passes than others: noise makes every one another
ROUNDS: Final = 10  # evaluations: each draws pictures, which takes long
PATIENCE: Final = 1000  # evaluations: a distance of few pictures is too noisy to stop by
DISTANCE: Final = f"kernel_distance_{FEATURES}"
AUGMENTATIONS: Final = ("auto", "none", "light")


class GenerateRecipe(Recipe):
    """Pictures like those that it is shown.

    Args:
        request: What is asked; `extra` has "latent", the folder of a run of "vae", or "".

    Raises:
        InputError: There are too few images, or the size cannot be drawn.
        UnknownName: No such method.
    """

    monitor = f"minus_{DISTANCE}"
    batch = 64
    # In the few steps of a search all rates look alike.
    spread = 1.0
    drawn = DRAWN

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.name, side = request.model or USUAL, request.size or SIDE
        methods.check(self.name)
        methods.check_size(side)
        self._enough(len(request.samples.of(TRAIN)), len(request.samples.of(VALIDATION)))
        self.mirrored = _mirrored(request.augmentation)
        self.classes, self.origin = request.samples.classes, request.samples.origin
        self.space = open_space(_latent(request), side, len(self.classes))
        self.known = Images(request.train, side, "Reading training images")
        self.held_out = Images(_some(request.validation, HELD_OUT), side, "Reading held-out images")
        self.skipped |= self.known.skipped | self.held_out.skipped
        self._enough(len(self.known), len(self.held_out))
        self._look(side)
        torch.manual_seed(request.seed)
        self.method = methods.make(self.name, self.space.canvas)
        self.network, self.rate = self.method.network, self.method.rate
        fresh = request.start in ("auto", "nothing")
        if not fresh:
            load_matching(self.network, Path(request.start))
        self.built = Built(self.network, "nothing" if fresh else request.start)
        self.folder = request.folder
        self._judge: Judge | None = None
        self._truth: NDArray[np.float32] | None = None
        self._pictures: NDArray[np.uint8] | None = None

    def _enough(self, known: int, held_out: int) -> None:
        least = methods.LEAST[methods.family(self.name)]
        if known < least or held_out < LEAST_HELD:
            raise InputError(
                f"There are too few images to train a generator ({self.name}) on.",
                expected=f"at least {least} to learn from and {LEAST_HELD} for validation; thousands for good pictures",
                got=f"{known} and {held_out}",
                hint="lucida train lora learns one thing from a few photos, with a large model",
            )

    def _look(self, side: int) -> None:
        """Note what a person should know of the images."""
        if self.known.small:
            which = "All" if self.known.small == len(self.known) else f"{self.known.small:,} of {len(self.known):,}"
            self.notes.append(
                f"{which} training images are smaller than {side} pixels, and were enlarged: they are soft."
            )
        unknown = int((self.known.labels == len(self.classes)).sum())
        if self.classes and unknown:
            self.notes.append(f"{unknown:,} training images have no class: the generator learns them without one.")

    def __len__(self) -> int:
        return len(self.known)

    def example(self, row: int) -> Example:
        known, method = self.known, self.method
        label, count = int(known.labels[row]), len(self.classes)
        return make_example(known.pixels[row], label, method.noise, classes=count, mirrored=self.mirrored)

    def collate(self, examples: list[Any]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return batch_of(examples)

    def loss(self, network: nn.Module, batch: Any) -> dict[str, Tensor]:
        images, label, noise, chance = batch
        data = self.space.data(images, torch.randn_like(noise) if self.space.latent else None)
        return self.method.loss(network, data, label, noise, chance)

    def measure(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Return the kernel distance of drawn pictures to held-out images, and the loss on these where it says much."""
        count = min(self.drawn, len(self.held_out))
        self._pictures = self.pictures(network, device, range(count))
        distance = kernel_distance(self.truth(), self.judge.features(self._pictures))
        found = {self.monitor: -distance, DISTANCE: distance}
        return found | ({"loss": self._held_out_loss(network, device)} if self.method.comparable else {})

    def pictures(self, network: nn.Module, device: torch.device, seeds: range) -> NDArray[np.uint8]:
        """Return pictures uint8 (n, s, s, 3), one a seed, the classes in turn."""
        drawing = self.method.drawing(network, self.known.pixels)
        return as_pixels(draw(self.method, drawing, self.space, device, seeds))

    @property
    def judge(self) -> Judge:
        """Return what compares pictures."""
        if self._judge is None:
            self._judge = Judge()
        return self._judge

    def truth(self) -> NDArray[np.float32]:
        """Return the features of the held-out images."""
        if self._truth is None:
            self._truth = self.judge.features(self.held_out.pixels, "Looking at held-out images")
        return self._truth

    def _held_out_loss(self, network: nn.Module, device: torch.device) -> float:
        """Return the loss on held-out images, with the same noise and times every time."""
        random = torch.Generator().manual_seed(0)
        rows, total = range(0, min(len(self.held_out), 512), 64), 0.0
        for start in rows:
            pixels = self.held_out.pixels[start : start + 64]
            images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
            noise = torch.randn((len(images), *self.method.noise), generator=random)
            # Evenly over the normal distribution: times are not left to luck.
            chance = torch.special.ndtri((torch.arange(len(images)) + 0.5) / len(images))
            label = torch.from_numpy(self.held_out.labels[start : start + 64])
            data = self.space.data(images.to(device))
            found = self.method.loss(network, data, label.to(device), noise.to(device), chance.to(device))["loss"]
            total += float(found) * len(images)
        return total / min(len(self.held_out), 512)

    def evaluated(self, network: nn.Module, step: int, folder: Path) -> None:
        """Keep what was drawn for an evaluation as a contact sheet."""
        if self._pictures is None:
            return
        rows = by_class(self._pictures, self.classes if self.method.name != "vae" else ())
        if self.method.name == "vae":
            rows = [*self._through(network), *rows]
        write_sheet(folder / SAMPLES / f"{step:07d}.png", rows)

    def _through(self, network: Any) -> list[tuple[str, NDArray[np.uint8]]]:
        """Return held-out images, what comes back of them, and the way from the first to the last."""
        pixels = self.held_out.pixels[:10]
        device = next(network.parameters()).device
        images = on_range(torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).to(device))
        with torch.inference_mode():
            mean, _ = network.encoder(images)
            shares = torch.linspace(0, 1, len(mean), device=device).view(-1, 1, 1, 1)
            back, between = network.decoder(mean), network.decoder((1 - shares) * mean[:1] + shares * mean[-1:])
        made = [as_pixels(one.float().cpu().numpy()) for one in (back, between)]
        return [("held out", pixels), ("back", made[0]), ("first to last", made[1])]

    def groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.network.parameters()), "scale": 1.0, "betas": self.method.betas}]

    def fit(self, settings: Settings, folder: Path) -> State:
        """Train without weight decay, evaluate seldom, and do not stop by a noisy distance unless that was asked."""
        usual = Settings()
        changes: dict[str, Any] = {"weight_decay": 0.0, "clip": self.method.clip}
        changes |= {"most_epochs": settings.most_epochs * PASSES}
        changes |= {"batch": settings.batch or min(self.batch, max(1, len(self) // 2))}
        changes |= {"patience": PATIENCE} if settings.patience == usual.patience else {}
        changes |= {"rounds": ROUNDS} if settings.rounds == usual.rounds else {}
        return super().fit(replace(settings, **changes), folder)

    def export(self, folder: Path) -> dict[str, Any]:
        return export.export_generator(self, folder)


def _mirrored(augmentation: str) -> bool:
    if augmentation not in AUGMENTATIONS:
        raise InputError(
            "A generator would learn to draw images as they were changed.",
            expected="--augmentation light (mirrored, as by default) or none, for letters and digits",
            got=f"--augmentation {augmentation}",
        )
    return augmentation != "none"


def _latent(request: Request) -> str:
    latent = str(request.extra.get("latent") or "")
    if latent and methods.family(request.model or USUAL) in ("gan", "vae"):
        raise InputError(
            "Latents are for flow and diffusion.",
            expected="--latent with --model flow or diffusion",
            got=f"--model {request.model}",
            hint="leave --latent out",
        )
    return latent


def _some(samples: Any, most: int) -> Any:
    """Return at most so many of some samples, spread over all."""
    return samples if len(samples) <= most else replace(samples, items=samples.items[:: -(-len(samples) // most)])


def generator(request: Request) -> GenerateRecipe:
    """Return the recipe for generators."""
    return GenerateRecipe(request)


def rebuild(trained: Trained) -> nn.Module:
    """Return the network of a run, its weights not loaded."""
    config = trained.config
    space = open_space(str(config.get("latent") or ""), int(config["size"] or SIDE), len(trained.classes))
    return methods.make(str(config["model"]), space.canvas).network
