"""One change of weights: batches, losses, gradients, the optimizer; in any arithmetic, on any number of processes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import send_to_device

from lucida.train.device import usual_workers
from lucida.train.order import Order, loader
from lucida.train.together import Team, accelerator_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from lucida.train.recipe import Recipe
    from lucida.train.settings import Settings
    from lucida.train.standing import State


class Steps:
    """What changes a recipe's network.

    Args:
        recipe: What is trained.
        settings: How.

    Attributes:
        optimizer: Ready after `prepare`.
    """

    def __init__(self, recipe: Recipe, settings: Settings) -> None:
        self.recipe, self.settings = recipe, settings
        self.accelerator = accelerator_of(settings)
        self.team = Team(self.accelerator)
        self._workers = settings.workers if settings.workers is not None else usual_workers()
        self._spare: Any = None

    def prepare(self) -> None:
        """Bring the network to where it is trained, with a new optimizer."""
        network = self.recipe.network
        if self.accelerator.mixed_precision != "no":
            # Half precision multiplies in this layout; in fp32 the other one is as fast or faster.
            network.to(memory_format=torch.channels_last)
        prepared: tuple[Any, Any] = self.accelerator.prepare(network, self._new_optimizer())
        self.network, self._optimizer = prepared

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Return PyTorch's own."""
        found: torch.optim.Optimizer = self._optimizer.optimizer
        return found

    def _new_optimizer(self) -> torch.optim.Optimizer:
        groups = []
        for group in self.recipe.groups():
            scale = group.get("scale", 1.0)
            own = {"betas": group["betas"]} if "betas" in group else {}
            flat = [p for p in group["params"] if p.ndim < 2]
            deep = [p for p in group["params"] if p.ndim >= 2]
            groups += [
                {"params": deep, "scale": scale, "weight_decay": self.settings.weight_decay, **own},
                # Norms and biases: decay only takes them from where they belong.
                {"params": flat, "scale": scale, "weight_decay": 0.0, **own},
            ]
        groups = [group for group in groups if group["params"]]
        # One pass over the weights instead of ten.
        fused = all(p.dtype == torch.float32 for group in groups for p in group["params"])
        return torch.optim.AdamW(groups, lr=1.0, fused=fused or None)

    def batches(self, batch: int, start: int, *, seed: int) -> Iterator[Any]:
        """Return batches without end, from the start-th on: what this process sees of them."""
        order = Order(len(self.recipe), batch, seed=seed, weights=self.recipe.weights(), start=start)
        return iter(loader(self.recipe, self.team.share(order), self._workers, pinned=torch.cuda.is_available()))

    def seed(self, step: int) -> None:
        """Let chance within the network depend on the step alone."""
        torch.manual_seed(self.settings.seed * 1_000_003 + step + 7919 * self.team.rank)

    def change(self, batches: Iterator[Any], accumulate: int, rate: float, state: State) -> dict[str, float]:
        """Change the weights once; return the losses, averaged over what was accumulated.

        Args:
            batches: As `batches` gave them.
            accumulate: Of how many the gradients are added up.
            rate: Of learning.
            state: Told of what could not be read, and how long was waited.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        total: dict[str, Tensor] = {}
        for _ in range(accumulate):
            with self.accelerator.accumulate(self.network):
                losses = self._losses(batches, state)
                if losses is None:
                    continue
                self.accelerator.backward(losses["loss"])
                for name, value in losses.items():
                    total[name] = total.get(name, torch.zeros(())) + value.detach().float().cpu() / accumulate
                if self.accelerator.sync_gradients and self.settings.clip:
                    self.accelerator.clip_grad_norm_(self.recipe.network.parameters(), self.settings.clip)
                self._optimizer.step()
                self._optimizer.zero_grad()
        return self.team.mean({name: float(value) for name, value in total.items()} or {"loss": 0.0})

    def _losses(self, batches: Iterator[Any], state: State) -> dict[str, Tensor] | None:
        """Return the losses of the next batch; None where no image of it can be read."""
        start = time.monotonic()
        batch, gone = next(batches)
        state.waited += time.monotonic() - start
        state.skipped += gone
        if not self.team.several:
            return None if batch is None else self._loss(batch)
        if batch is not None:
            self._spare = batch
            return self._loss(batch)
        # The others wait for this one's gradients: those of an earlier batch, taken times nothing.
        return None if self._spare is None else {k: 0 * v for k, v in self._loss(self._spare).items()}

    def _loss(self, batch: Any) -> dict[str, Tensor]:
        with self.accelerator.autocast():
            return self.recipe.loss(self.network, send_to_device(batch, self.accelerator.device))

    def measure(self, network: nn.Module) -> dict[str, float]:
        """Return a network's metrics on the validation part."""
        network.eval()
        with torch.inference_mode(), self.accelerator.autocast():
            return self.recipe.measure(network, self.accelerator.device)

    def forget(self, initial: dict[str, Tensor]) -> None:
        """Put weights back, as if nothing had been learned."""
        self.recipe.network.load_state_dict(initial)
        self.optimizer.state.clear()
        self._optimizer.zero_grad()

    def keep_scale(self, state: State) -> None:
        """Note what fp16 multiplies gradients by."""
        if self.accelerator.scaler is not None:
            state.scale = self.accelerator.scaler.state_dict()

    def restore_scale(self, state: State) -> None:
        """Multiply gradients by what they were multiplied by."""
        if self.accelerator.scaler is not None and state.scale:
            self.accelerator.scaler.load_state_dict(state.scale)

    def release(self) -> None:
        """Give the network its own forward and layout back, over which accelerate puts one in half precision."""
        network = self.recipe.network
        # Accelerate's own way also takes off what the class itself put around its forward, as transformers' do.
        original = vars(network).pop("_original_forward", None)
        if original is not None:
            network.forward = original
        network.to(memory_format=torch.contiguous_format)
