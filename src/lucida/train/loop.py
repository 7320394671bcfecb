"""The one loop that trains every recipe.

AdamW, a cosine with warm-up, an average of the weights, early stopping; one process or several, any arithmetic that
accelerate knows. What a step sees depends on the seed and its number alone, so a run that was killed goes on to the
same weights as one that was not.
"""

from __future__ import annotations

import copy
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import send_to_device
from accelerate.utils.memory import should_reduce_batch_size

from lucida.errors import InputError, TrainingError
from lucida.models.quiet import quiet
from lucida.progress import track
from lucida.train import schedule
from lucida.train.device import mixed_precision, usual_workers
from lucida.train.journal import Journal
from lucida.train.order import Order, loader
from lucida.train.settings import Plan, Settings
from lucida.tuning import checkpoint
from lucida.tuning.contrast import follow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from lucida.progress import Step
    from lucida.train.recipe import Recipe

LAST, BEST, PLAN = "last.safetensors", "best.safetensors", "plan.json"
REPORT_SECONDS = 3.0


@dataclass
class State:
    """Where training stands; kept in every checkpoint.

    Attributes:
        step: Changes of weights so far.
        seconds: Time used so far, over all calls.
        best: Highest value of the monitored metric.
        best_step: When that was.
        metrics: All metrics of that evaluation.
        lowest: Lowest validation loss.
        stale: Evaluations since either of them was better than before.
        evaluated: Step of the last evaluation.
        waited: Seconds that were spent waiting for examples.
        stopped: Why training ended; "" while it goes on.
        skipped: Images that could not be read in mid-epoch: their rows.
    """

    step: int = 0
    seconds: float = 0.0
    best: float = -math.inf
    best_step: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    lowest: float = math.inf
    stale: int = 0
    evaluated: int = 0
    waited: float = 0.0
    stopped: str = ""
    skipped: list[int] = field(default_factory=list)


def fit(recipe: Recipe, settings: Settings, folder: Path) -> State:
    """Train a recipe's network in place; its weights are then those of the best evaluation.

    Args:
        recipe: What to train.
        settings: How.
        folder: Folder of the run; training goes on from the checkpoint that lies there.

    Returns:
        How it went.

    Raises:
        TrainingError: The loss is no number any more, or memory does not suffice for one image.
        InputError: There is nothing to train on, or the checkpoint is of another network.
    """
    if not len(recipe):
        raise InputError("There is no image to train on.", expected="a training part", got="none that can be read")
    torch.manual_seed(settings.seed)
    loop = _Loop(recipe, settings, folder)
    while True:
        try:
            return loop.run()
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
            loop.halve(error)
        finally:
            _unwrap(recipe.network)


class _Loop:
    def __init__(self, recipe: Recipe, settings: Settings, folder: Path) -> None:
        self.recipe, self.settings, self.folder = recipe, settings, folder
        # Accelerate keeps the first arithmetic of a process for ever, and refuses another.
        AcceleratorState._reset_state()
        with quiet():
            self.accelerator = Accelerator(
                mixed_precision=mixed_precision(settings.arithmetic),
                gradient_accumulation_steps=settings.accumulate,
                cpu=not torch.cuda.is_available(),
                log_with="wandb" if settings.wandb else None,
            )
        self.workers = settings.workers if settings.workers is not None else usual_workers()
        self.state = State()
        self.begun = time.monotonic()
        # What a fresh start begins from: trials and batches that were too large leave no trace.
        self.initial = copy.deepcopy(recipe.network.state_dict())

    def run(self) -> State:
        """Find a plan where there is none, then train to its end."""
        self.begun = time.monotonic()
        self.network, self.optimizer = self._prepared()
        plan = Plan.load(self.folder / PLAN) or self._find_plan()
        self.plan = plan
        self.recipe.notes += plan.notes
        self.average: nn.Module = self.recipe.network
        if self.settings.horizon:
            self.average = copy.deepcopy(self.recipe.network).requires_grad_(False)
        self.state = State()
        self._resume()
        self.begun = time.monotonic() - self.state.seconds
        if not self.state.stopped:
            self.accelerator.gradient_accumulation_steps = plan.accumulate
            self._train()
        # The first process writes the best weights: the others must not look for them before.
        self.accelerator.wait_for_everyone()
        self._load_best()
        self.recipe.network.eval()
        return self.state

    def halve(self, error: Exception) -> None:
        """Half as many images a step, twice as many steps a change: the same examples in the same order."""
        path = self.folder / PLAN
        plan = Plan.load(path)
        batch = plan.batch if plan else self._batch()
        if batch <= 1:
            raise TrainingError(
                "Memory does not suffice to train on one image at a time.",
                expected="a network and images that fit",
                got=" ".join(str(error).split())[:200],
                hint="smaller images with --size, or a smaller --model",
            ) from error
        note = f"Memory did not suffice for {batch} images a step: {batch // 2} are used, gradients added up."
        self.recipe.notes.append(note)
        self.settings = _with(self.settings, batch=batch // 2, accumulate=self.settings.accumulate * 2)
        if plan:
            plan.batch, plan.accumulate = batch // 2, plan.accumulate * 2
            plan.notes.append(note)
            plan.save(path)
        self.recipe.network.load_state_dict(self.initial)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    # Before training

    def _prepared(self) -> tuple[Any, Any]:
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
        optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=1.0)
        prepared: tuple[Any, Any] = self.accelerator.prepare(self.recipe.network, optimizer)
        return prepared

    def _batch(self) -> int:
        """Return the images a step: what was given, else the recipe's, fewer where an epoch would be too short."""
        if self.settings.batch:
            return self.settings.batch
        return max(1, min(self.recipe.batch, len(self.recipe) // 8 or 1))

    def _find_plan(self) -> Plan:
        batch, given = self._batch(), self.settings.rate
        usual = self.recipe.rate
        if not self.settings.batch and torch.cuda.is_available():
            batch = self._largest_batch(batch)
        searched = given is None and self.recipe.spread > 1
        rates = schedule.trial_rates(usual / 30, usual * 10) if searched else [given or usual] * schedule.SPEED
        trial = self._try(batch, rates)
        rate, note = given or usual, ""
        if searched and (found := schedule.best_rate(trial.losses)):
            rate = min(max(found, usual / self.recipe.spread), usual * self.recipe.spread)
            note = f"Learning rate {rate:.2g}, found by trying {len(trial.losses)} of them."
        measure = schedule.timed(lambda: self._measure(self.recipe.network))
        plan = schedule.fit_plan(
            self.settings,
            batch=batch,
            rate=rate,
            examples=-(-len(self.recipe) // self.accelerator.num_processes),
            trial=trial,
            measure=measure,
            spent=time.monotonic() - self.begun,
        )
        plan.notes += [note] if note else []
        plan.save(self.folder / PLAN)
        return plan

    def _largest_batch(self, batch: int) -> int:
        """Double the batch as long as a step with it fits into the memory of the GPU."""
        while batch * 2 <= min(256, max(1, len(self.recipe) // 8)):
            try:
                self._try(batch * 2, [self.recipe.rate] * 2)
            except RuntimeError as error:
                if not should_reduce_batch_size(error):
                    raise
                torch.cuda.empty_cache()
                break
            batch *= 2
        return batch

    def _try(self, batch: int, rates: list[float]) -> schedule.Trial:
        """Train some steps and forget them."""
        losses, times = [], []
        batches = self._batches(batch, 0, seed=self.settings.seed + 7)
        self.network.train()
        try:
            for rate in rates:
                start = time.monotonic()
                loss = self._change(batches, 1, rate)["loss"]
                times.append(time.monotonic() - start)
                losses.append((rate, loss))
                if not math.isfinite(loss) or loss > 4 * losses[0][1] + 1:
                    break
        finally:
            self.recipe.network.load_state_dict(self.initial)
            self.optimizer.optimizer.state.clear()
            self.optimizer.zero_grad()
        return schedule.Trial(losses, sorted(times)[len(times) // 2] * self.settings.accumulate)

    # Training

    def _train(self) -> None:
        state, plan = self.state, self.plan
        journal = self._journal() if self.accelerator.is_main_process else None
        batches = self._batches(plan.batch, state.step * plan.accumulate, seed=self.settings.seed)
        saved = reported = time.monotonic()
        since, waited = state.step, state.waited
        round_start, round_step = time.monotonic(), state.step
        with track("Training", plan.total, unit="steps", done=state.step) as show:
            while state.step < plan.total:
                rate = plan.rate * schedule.factor(state.step, plan.total, self.settings.warmup)
                # Chance within the network, too, depends on the step alone.
                torch.manual_seed(self.settings.seed * 1_000_003 + state.step)
                self.network.train()
                values = self._change(batches, plan.accumulate, rate)
                self._check(values)
                self._follow()
                self._advance(show)
                now = time.monotonic()
                if journal and (now - reported > REPORT_SECONDS or state.step == plan.total):
                    seen = (state.step - since) * plan.batch * plan.accumulate * self.accelerator.num_processes
                    journal.write(
                        state.step,
                        epoch=round(state.step * plan.batch * plan.accumulate / len(self.recipe), 3),
                        seconds=round(now - self.begun, 1),
                        rate=rate,
                        images_per_second=round(seen / max(now - reported, 1e-9), 2),
                        waiting=round((state.waited - waited) / max(now - reported, 1e-9), 4),
                        **values,
                    )
                    reported, since, waited = now, state.step, state.waited
                # Counted from the last one: a refit changes the round, and patience counts whole rounds.
                if state.step - state.evaluated >= plan.round or state.step >= plan.total:
                    seconds = (time.monotonic() - round_start) / max(1, state.step - round_step)
                    took = schedule.timed(lambda: self._evaluate(journal))
                    if self._over():
                        break
                    self._refit(seconds, took)
                    round_start, round_step = time.monotonic(), state.step
                if now - saved > self.settings.save_seconds:
                    self._save()
                    saved = time.monotonic()
        state.stopped = state.stopped or "the schedule is done"
        self._save()
        if journal:
            journal.close()
            if self.settings.wandb:
                self.accelerator.end_training()

    def _journal(self) -> Journal:
        if not self.settings.wandb:
            return Journal(self.folder, self.state.step)
        self.accelerator.init_trackers("camera-lucida", config=self.settings.deciding())
        return Journal(self.folder, self.state.step, lambda values, step: self.accelerator.log(values, step=step))

    def _batches(self, batch: int, start: int, *, seed: int) -> Iterator[Any]:
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        order = Order(len(self.recipe), batch, seed=seed, weights=self.recipe.weights(), start=start)
        shared = order if world == 1 else _Share(order, rank, world)
        return iter(loader(self.recipe, shared, self.workers, pinned=torch.cuda.is_available()))

    def _change(self, batches: Iterator[Any], accumulate: int, rate: float) -> dict[str, float]:
        """Change the weights once; return the losses, averaged over what was accumulated."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        total: dict[str, Tensor] = {}
        for _ in range(accumulate):
            with self.accelerator.accumulate(self.network):
                start = time.monotonic()
                batch, gone = next(batches)
                self.state.waited += time.monotonic() - start
                self.state.skipped += gone
                if batch is None:
                    continue
                losses = self._loss(send_to_device(batch, self.accelerator.device))
                self.accelerator.backward(losses["loss"])
                for name, value in losses.items():
                    total[name] = total.get(name, torch.zeros(())) + value.detach().float().cpu() / accumulate
                if self.accelerator.sync_gradients and self.settings.clip:
                    self.accelerator.clip_grad_norm_(self.recipe.network.parameters(), self.settings.clip)
                self.optimizer.step()
                self.optimizer.zero_grad()
        return {name: float(value) for name, value in total.items()} or {"loss": 0.0}

    def _loss(self, batch: Any) -> dict[str, Tensor]:
        with self.accelerator.autocast():
            return self.recipe.loss(self.network, batch)

    def _check(self, values: dict[str, float]) -> None:
        if all(math.isfinite(value) for value in values.values()):
            return
        kept = f"the weights of step {self.state.best_step} are kept in {self.folder / BEST}"
        raise TrainingError(
            f"The loss is no number any more, at step {self.state.step}.",
            expected="a finite loss",
            got=", ".join(f"{name} {value:g}" for name, value in values.items()),
            hint=f"a lower rate (--rate {self.plan.rate / 4:.1g}) or --arithmetic fp32"
            + (f"; {kept}" if self.state.metrics else ""),
        )

    def _follow(self) -> None:
        if self.settings.horizon:
            step = self.state.step + 1
            # Young averages must not remember the random start.
            horizon = max(2.0, self.settings.horizon * self.plan.total)
            follow(self.average, self.recipe.network, min(1 - 1 / horizon, step / (step + 9)))

    def _advance(self, show: Step) -> None:
        self.state.step += 1
        show()

    def _measure(self, network: nn.Module) -> dict[str, float]:
        network.eval()
        with torch.inference_mode(), self.accelerator.autocast():
            return self.recipe.measure(network, self.accelerator.device)

    def _evaluate(self, journal: Journal | None) -> None:
        state = self.state
        state.evaluated = state.step
        found = self._measure(self.average)
        value, loss = found[self.recipe.monitor], found.get("loss", math.inf)
        # A small validation part counts in coarse steps: between equals the loss decides, and where it still falls
        # there is something to learn.
        better = (value, -loss) > (state.best, -state.metrics.get("loss", math.inf))
        state.stale = 0 if better or loss < state.lowest else state.stale + 1
        state.lowest = min(state.lowest, loss)
        if better:
            state.best, state.best_step, state.metrics = value, state.step, found
            if self.accelerator.is_main_process:
                weights = self.average.state_dict()
                with self._room():
                    checkpoint.save(self.folder / BEST, {"network": weights}, {"step": state.step, "metrics": found})
        if self.accelerator.is_main_process:
            with self._room():
                self.recipe.evaluated(self.average, state.step, self.folder)
        if journal:
            with self._room():
                journal.write(state.step, **{f"validation/{name}": number for name, number in found.items()})

    def _over(self) -> bool:
        spent = time.monotonic() - self.begun
        if self.state.stale >= self.settings.patience:
            self.state.stopped = f"{self.state.stale} evaluations without gain"
        elif not self.settings.epochs and spent > self.settings.minutes * 60:
            self.state.stopped = f"{self.settings.minutes:g} minutes were up"
        return bool(self.state.stopped)

    def _refit(self, seconds: float, took: float) -> None:
        plan = self.plan
        epoch = max(1, math.ceil(len(self.recipe) / (plan.batch * plan.accumulate * self.accelerator.num_processes)))
        spent = time.monotonic() - self.begun
        if schedule.refit(
            plan, self.settings, step=self.state.step, epoch=epoch, seconds=seconds, spent=spent, measure=took
        ):
            plan.round = schedule.round_of(plan.total, epoch, self.settings.rounds)
            plan.save(self.folder / PLAN)

    # Checkpoints

    def _save(self) -> None:
        if not self.accelerator.is_main_process:
            return
        self.state.seconds = time.monotonic() - self.begun
        groups = {
            "network": self.recipe.network.state_dict(),
            "optimizer": checkpoint.flatten_optimizer(self.optimizer.optimizer),
        }
        if self.settings.horizon:
            groups["average"] = self.average.state_dict()
        with self._room():
            checkpoint.save(self.folder / LAST, groups, dict(self.state.__dict__))

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Say what it means that something cannot be written."""
        try:
            yield
        except OSError as error:
            raise TrainingError(
                "The checkpoint cannot be written.",
                expected=f"room and permission in {self.folder}",
                got=error.strerror or str(error),
                hint="free some room; the same command goes on from the last checkpoint",
            ) from error

    def _resume(self) -> None:
        path = self.folder / LAST
        if not path.exists():
            return
        groups, kept = checkpoint.load(path)
        try:
            self.recipe.network.load_state_dict(groups["network"])
            if self.settings.horizon:
                self.average.load_state_dict(groups["average"])
            checkpoint.restore_optimizer(self.optimizer.optimizer, groups.get("optimizer", {}))
        except (RuntimeError, KeyError, ValueError) as error:
            raise another(path, error) from error
        self.state = State(**kept)

    def _load_best(self) -> None:
        path = self.folder / BEST
        if path.exists():
            self.recipe.network.load_state_dict(checkpoint.load(path)[0]["network"])


class _Share(Order):
    """Every so many-th batch: what one of several processes sees."""

    def __init__(self, order: Order, rank: int, world: int) -> None:
        self.__dict__.update(order.__dict__)
        self._rank, self._world = rank, world

    def keys(self, number: int) -> list[tuple[int, int]]:
        return super().keys(number * self._world + self._rank)


def _unwrap(network: nn.Module) -> None:
    """Give a network its own forward back, over which accelerate puts one in half precision."""
    # Accelerate's own way also takes off what the class itself put around its forward, as transformers' do.
    original = vars(network).pop("_original_forward", None)
    if original is not None:
        network.forward = original


def another(path: Path, error: Exception) -> InputError:
    """Return the error for weights that do not fit a network."""
    return InputError(
        f"{path} holds the weights of another network.",
        expected="names and shapes as this model has them",
        got=" ".join(str(error).split())[:200],
        hint="name the model that it was trained with, or another folder",
    )


def _with(settings: Settings, **changes: Any) -> Settings:
    from dataclasses import replace

    return replace(settings, **changes)
