"""Learn what normal images look like, and where the threshold to the odd ones lies. Nothing is trained by gradients."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lucida.errors import InputError
from lucida.models.onnx.heat import TOP, HeatDecoder, cells
from lucida.progress import track
from lucida.train.anomaly import features
from lucida.train.anomaly.examples import Prepared, auroc_of, normal_images
from lucida.train.anomaly.export import export_oddness
from lucida.train.anomaly.features import EachChannel
from lucida.train.anomaly.memory import Memory
from lucida.train.anomaly.network import SHRINKS, OddnessNetwork
from lucida.train.backbone import EMBEDDED
from lucida.train.channels import look
from lucida.train.pictures import Pictures
from lucida.train.recipe import Recipe
from lucida.train.standing import BEST, State
from lucida.tuning import checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lucida.models.needs import Frame
    from lucida.train.request import Request
    from lucida.train.settings import Settings
    from lucida.train.trained import Trained

SIZE = 224
STEP = 32
PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))  # the network itself knows what colours are usual
PLACES = 200_000  # of all images together that the examples are chosen from
QUANTILE = 0.95  # of normal images that are to lie below the threshold
LIKE = 0.05  # share of the normal images, those most like it, that one is not compared with to set the threshold


class AnomalyRecipe(Recipe):
    """How odd an image is, and where, from normal images alone.

    Args:
        request: What is asked.

    Raises:
        InputError: There are too few normal images.
        UnknownName: No such encoder.
    """

    monitor = "normal_below"
    shared = False

    def __init__(self, request: Request) -> None:
        super().__init__()
        size = request.size or SIZE
        if size % STEP:
            raise InputError(
                f"Oddities cannot be looked for in images of {size} pixels a side.",
                expected=f"a multiple of {STEP}",
                got=str(size),
                hint=f"--size {max(STEP, round(size / STEP) * STEP)}",
            )
        self.place = request.samples.origin
        normal, notes = normal_images(request.train)
        channels = look(request.samples, request.channels, request.like)
        pictures = Pictures(normal, size, what="Reading normal images", channels=channels)
        self.needs = channels.needs(size, "pad", PLAIN, pictures.moments)
        self.notes += [*notes, *channels.notes, *pictures.moments.notes()]
        self.training = Prepared(normal, pictures, self.needs)
        judged = Pictures(request.validation, size, what="Reading validation images", channels=channels)
        self.validation = Prepared(request.validation, judged, self.needs)
        self.skipped |= self.training.skipped | self.validation.skipped
        if not len(self.training):
            raise InputError("No normal image can be read.", expected="images", got="; ".join(self.skipped.values()))
        torch.manual_seed(request.seed)
        self.seed = request.seed
        self.backbone = features.build(request.model or EMBEDDED, request.start)
        self.notes += [self.backbone.note] if self.backbone.note else []
        places = self.backbone.network
        if channels.raw:
            # Maps of all channels side by side are too wide for weights of 8 bits.
            places, self.backbone.small = EachChannel(places), False
        self.model = OddnessNetwork(places, measured=channels.raw).eval().requires_grad_(False)
        self.network = self.model
        self.decode = HeatDecoder(size, TOP)

    def __len__(self) -> int:
        return len(self.training)

    def fit(self, settings: Settings, folder: Path) -> State:
        """Look at all normal images twice: to remember them, and to see how far apart they are.

        Args:
            settings: Only the seed is looked at; there are no steps.
            folder: Of the run; the network is kept there.
        """
        start = time.monotonic()
        generator = torch.Generator().manual_seed(settings.seed)
        with torch.inference_mode():
            owners = self._remember(generator)
            self._calibrate(owners)
            metrics = self.measure(self.model, torch.device("cpu"))
        state = State(seconds=time.monotonic() - start, best=metrics[self.monitor], metrics=metrics, stopped="all seen")
        checkpoint.save(folder / BEST, {"network": self.model.state_dict()}, {"step": 0, "metrics": metrics})
        return state

    def measure(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Return the AUROC of odd images where there are some, and how many of each kind lie where they should."""
        scores = [found.score for found in self.find(network, self.validation)]
        odd = self.validation.odd
        area = auroc_of(scores, odd)
        right = {
            "normal_below": [score < 1 for score, one in zip(scores, odd, strict=True) if not one],
            "odd_above": [score >= 1 for score, one in zip(scores, odd, strict=True) if one],
        }
        shares = {name: sum(kind) / len(kind) for name, kind in right.items() if kind}
        return {**({} if area is None else {"image_auroc": area}), "normal_below": 0.0, **shares}

    def find(self, network: nn.Module, prepared: Prepared) -> list[Any]:
        """Return how odd images are."""
        found: list[Any] = []
        for images, frames in prepared.batches():
            found += self.decode([network(images).float().numpy()], frames)
        return found

    def export(self, folder: Path) -> dict[str, Any]:
        export_oddness(self, folder)
        return {}

    def _seen(self, maps: Tensor, frames: Sequence[Frame]) -> list[Tensor]:
        """Return of each image the part (channels, h, w) of its map that sees something of it."""
        shape = (int(maps.shape[2]), int(maps.shape[3]))
        windows = [cells(frame, self.needs.size, shape) for frame in frames]
        return [one[:, rows, columns] for one, (rows, columns) in zip(maps, windows, strict=True)]

    def _remember(self, generator: torch.Generator) -> list[Tensor]:
        """Fill the memories; return whose each of their examples is."""
        most = max(16, PLACES // len(self.training))
        places: list[list[Tensor]] = [[] for _ in SHRINKS]
        whose: list[list[Tensor]] = [[] for _ in SHRINKS]
        image = 0
        with track("Learning what is normal", len(self.training)) as step:
            for images, frames in self.training.batches():
                for scale, maps in enumerate(self.model.describe(images)):
                    for number, part in enumerate(self._seen(maps, frames)):
                        flat = part.flatten(1).T
                        flat = flat[torch.randperm(len(flat), generator=generator)[:most]]
                        places[scale].append(flat.half())
                        whose[scale].append(torch.full((len(flat),), image + number))
                image += len(images)
                step(len(images))
        both = [Memory.of(torch.cat(a), torch.cat(b), generator) for a, b in zip(places, whose, strict=True)]
        self.model.memories = nn.ModuleList([memory for memory, _ in both])
        return [owners for _, owners in both]

    def _calibrate(self, owners: list[Tensor]) -> None:
        """Weigh the scales, and set the threshold, by how far normal images are from all others.

        The few most like it are left out as well: the same part is often photographed several times.
        """
        alike = self._alike()
        tops: list[list[Tensor]] = [[] for _ in SHRINKS]
        kept: list[tuple[list[Tensor], Frame]] = []
        for start, (images, frames) in zip(range(0, len(self.training), 8), self.training.batches(), strict=True):
            maps = self.model.describe(images)
            for number, frame in enumerate(frames):
                left_out = [alike[start + number][owner] for owner in owners]
                pairs = zip(self.model.memories, maps, left_out, strict=True)
                distances = [memory(one[number : number + 1], left) for memory, one, left in pairs]
                for scale, distance in enumerate(distances):
                    tops[scale].append(_top(self._seen(distance[:, None], [frame])[0]).log())
                kept.append((distances, frame))
        # A scale at which normal images are all equally far from each other says more.
        shares = torch.stack([1 / (torch.stack(top).std(correction=0) + 0.02) for top in tops])
        self.model.shares.copy_(shares / shares.sum())
        scores = [_top(self._seen(self.model.combine(one)[:, None], [frame])[0]) for one, frame in kept]
        self.model.threshold.copy_(torch.stack(scores).quantile(QUANTILE))

    def _alike(self) -> Tensor:
        """Return which images each is not compared with, itself among them: bool (n, n)."""
        means = []
        for images, frames in self.training.batches():
            maps = self.model.describe(images)[-1]
            means += [part.mean(dim=(1, 2)) for part in self._seen(maps, frames)]
        known = self.model.memories[-1].project(torch.stack(means))
        count = min(len(known) - 1, max(1, round(LIKE * len(known)) + 1))
        nearest = torch.cdist(known, known).topk(count, largest=False).indices
        alike = torch.zeros(len(known), len(known), dtype=torch.bool)
        alike.scatter_(1, nearest, True)
        return alike.fill_diagonal_(True)

    # What the loop would ask for: there are no steps.

    def example(self, row: int) -> Any:
        """Return an image."""
        return self.training.images[row]

    def collate(self, examples: list[Any]) -> Tensor:
        """Return images."""
        return torch.stack(examples)

    def loss(self, network: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Return nothing to learn."""
        return {"loss": torch.zeros(())}


def _top(heat: Tensor) -> Tensor:
    """Return the mean of the largest values."""
    flat = heat.flatten()
    return flat.topk(max(1, math.ceil(len(flat) * TOP))).values.mean()


def anomaly(request: Request) -> AnomalyRecipe:
    """Return the recipe that a request asks for."""
    return AnomalyRecipe(request)


def rebuild(trained: Trained) -> nn.Module:
    """Return the network of a finished run, not loaded: images, prepared as its card says, to heat maps."""
    stored = checkpoint.load(trained.folder / BEST)[0]["network"]
    start = str(trained.config["start"])
    places = features.build(str(trained.config["model"]), start if start in ("auto", "hub") else "nothing").network
    shapes = [
        (stored[f"memories.{scale}.directions"].shape, len(stored[f"memories.{scale}.examples"]))
        for scale in range(len(SHRINKS))
    ]
    memories = [Memory(int(c), int(d), kept) for (d, c), kept in shapes]
    return OddnessNetwork(EachChannel(places) if trained.raw else places, memories, measured=trained.raw).eval()
