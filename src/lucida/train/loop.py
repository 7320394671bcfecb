"""The one loop that trains every recipe.

AdamW, a cosine with warm-up, an average of the weights, early stopping; one process or several, any arithmetic that
accelerate knows. What a step sees depends on the seed and its number alone, so a run that was killed goes on to the
same weights as one that was not.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from accelerate.utils.memory import should_reduce_batch_size

from lucida.errors import InputError, TrainingError
from lucida.progress import track
from lucida.train import schedule
from lucida.train.average import Average
from lucida.train.journal import Journal
from lucida.train.settings import Plan, Settings
from lucida.train.standing import BEST, PLAN, State, load_best, load_last, room, save_best, save_last
from lucida.train.steps import Steps
from lucida.train.trial import find_plan, usual_batch

if TYPE_CHECKING:
    from lucida.train.recipe import Recipe

REPORT_SECONDS = 3.0


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
            loop.steps.release()


class _Loop:
    def __init__(self, recipe: Recipe, settings: Settings, folder: Path) -> None:
        self.recipe, self.settings, self.folder = recipe, settings, folder
        self.steps = Steps(recipe, settings)
        self.team = self.steps.team
        self.state = State()
        self.begun = time.monotonic()
        # What a fresh start begins from: trials and batches that were too large leave no trace.
        self.initial = copy.deepcopy(recipe.network.state_dict())

    def run(self) -> State:
        """Find a plan where there is none, then train to its end."""
        self.begun = time.monotonic()
        self.steps.prepare()
        plan = self.team.agreed(Plan.load(self.folder / PLAN)) or self._keep(
            find_plan(self.steps, self.initial, self.begun)
        )
        self.plan = plan
        self.recipe.notes += plan.notes
        self.average = Average(self.recipe.network) if self.settings.horizon else None
        self.judged = self.average.network if self.average else self.recipe.network
        self.state = load_last(self.folder, self.recipe.network, self._averaged, self.steps.optimizer)
        self.steps.restore_scale(self.state)
        self.begun = time.monotonic() - self.state.seconds
        if not self.state.stopped:
            self.steps.accelerator.gradient_accumulation_steps = plan.accumulate
            self._train()
        # The first process writes the best weights: the others must not look for them before.
        self.team.wait()
        load_best(self.folder, self.recipe.network)
        self.recipe.network.eval()
        return self.state

    def halve(self, error: Exception) -> None:
        """Half as many images a step, twice as many steps a change: the same examples in the same order."""
        path = self.folder / PLAN
        plan = Plan.load(path)
        batch = plan.batch if plan else usual_batch(self.steps)
        if batch <= 1 or self.team.several:
            # Where one of several has no room, the others wait for it in vain.
            raise TrainingError(
                f"Memory does not suffice to train on {'one image' if batch <= 1 else f'{batch} images'} at a time.",
                expected="a network and images that fit",
                got=" ".join(str(error).split())[:200],
                hint="smaller images with --size, or a smaller --model"
                if batch <= 1
                else f"--batch {batch // 2} --accumulate {self.settings.accumulate * 2}",
            ) from error
        note = f"Memory did not suffice for {batch} images a step: {batch // 2} are used, gradients added up."
        self.recipe.notes.append(note)
        self.settings = replace(self.settings, batch=batch // 2, accumulate=self.settings.accumulate * 2)
        self.steps.settings = self.settings
        if plan:
            plan.batch, plan.accumulate = batch // 2, plan.accumulate * 2
            plan.notes.append(note)
            plan.save(path)
        self.recipe.network.load_state_dict(self.initial)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _train(self) -> None:
        state, plan = self.state, self.plan
        journal = self._journal() if self.team.first else None
        batches = self.steps.batches(plan.batch, state.step * plan.accumulate, seed=self.settings.seed)
        report = _Report(journal, state, plan.batch * plan.accumulate * self.team.count, self.begun)
        saved = time.monotonic()
        round_start, round_step = time.monotonic(), state.step
        with track("Training", plan.total, unit="steps", done=state.step) as show:
            while state.step < plan.total:
                rate = plan.rate * schedule.factor(state.step, plan.total, self.settings.warmup)
                self.steps.seed(state.step)
                self.steps.network.train()
                values = self.steps.change(batches, plan.accumulate, rate, state)
                self._check(values)
                self._follow()
                state.step += 1
                show()
                now = time.monotonic()
                report.tell(now, rate, values, len(self.recipe), last=state.step == plan.total)
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
        state.skipped = self.team.all_of(state.skipped)
        self._save()
        if journal:
            journal.close()
            if self.settings.wandb:
                self.steps.accelerator.end_training()

    def _journal(self) -> Journal:
        if not self.settings.wandb:
            return Journal(self.folder, self.state.step)
        accelerator = self.steps.accelerator
        accelerator.init_trackers("camera-lucida", config=self.settings.deciding())
        return Journal(self.folder, self.state.step, lambda values, step: accelerator.log(values, step=step))

    def _check(self, values: dict[str, float]) -> None:
        if all(math.isfinite(value) for value in values.values()):
            return
        kept = f"the weights of step {self.state.best_step} are kept in {self.folder / BEST}"
        raise TrainingError(
            f"The loss is no number any more, at step {self.state.step}.",
            expected="a finite loss",
            got=", ".join(f"{name} {value:g}" for name, value in values.items()),
            hint=f"a lower rate (--rate {self.plan.rate / 4:.1g})"
            + (" or --arithmetic fp32" if self.steps.accelerator.mixed_precision != "no" else "")
            + (f"; {kept}" if self.state.metrics else ""),
        )

    def _follow(self) -> None:
        if self.average:
            step = self.state.step + 1
            # Young averages must not remember the random start.
            horizon = max(2.0, self.settings.horizon * self.plan.total)
            self.average.follow(min(1 - 1 / horizon, step / (step + 9)))

    def _evaluate(self, journal: Journal | None) -> None:
        state = self.state
        found = self.team.agreed(self.steps.measure(self.judged) if self.team.first else {})
        better = state.heed(found, self.recipe.monitor)
        if not self.team.first:
            return
        if better:
            save_best(self.folder, state, self.judged)
        with room(self.folder):
            self.recipe.evaluated(self.judged, state.step, self.folder)
            if journal:
                journal.write(state.step, **{f"validation/{name}": number for name, number in found.items()})

    def _over(self) -> bool:
        spent = self.team.agreed(time.monotonic() - self.begun)
        if self.state.stale >= self.settings.patience:
            self.state.stopped = f"{self.state.stale} evaluations without gain"
        elif not self.settings.epochs and spent > self.settings.minutes * 60:
            self.state.stopped = f"{self.settings.minutes:g} minutes were up"
        return bool(self.state.stopped)

    def _refit(self, seconds: float, took: float) -> None:
        plan = self.plan
        epoch = max(1, math.ceil(len(self.recipe) / (plan.batch * plan.accumulate * self.team.count)))
        seconds, took, spent = self.team.agreed((seconds, took, time.monotonic() - self.begun))
        if schedule.refit(
            plan, self.settings, step=self.state.step, epoch=epoch, seconds=seconds, spent=spent, measure=took
        ):
            plan.round = schedule.round_of(plan.total, epoch, self.settings.rounds)
            self._keep(plan)

    def _keep(self, plan: Plan) -> Plan:
        """Write the plan that the first process has, and return it."""
        plan = Plan(**self.team.agreed(asdict(plan)))
        if self.team.first:
            plan.save(self.folder / PLAN)
        return plan

    def _save(self) -> None:
        self.state.seconds = time.monotonic() - self.begun
        self.steps.keep_scale(self.state)
        if self.team.first:
            save_last(self.folder, self.state, self.recipe.network, self._averaged, self.steps.optimizer)

    @property
    def _averaged(self) -> torch.nn.Module | None:
        return self.average.network if self.average else None


class _Report:
    """Tells the journal how training goes, every few seconds."""

    def __init__(self, journal: Journal | None, state: State, images: int, begun: float) -> None:
        self._journal, self._state, self._images, self._begun = journal, state, images, begun
        self._last, self._step, self._waited = time.monotonic(), state.step, state.waited

    def tell(self, now: float, rate: float, values: dict[str, float], epoch: int, *, last: bool) -> None:
        """Write a row if it is time for one, or the last."""
        passed, state = now - self._last, self._state
        if self._journal is None or (passed <= REPORT_SECONDS and not last):
            return
        self._journal.write(
            state.step,
            epoch=round(state.step * self._images / epoch, 3),
            seconds=round(now - self._begun, 1),
            rate=rate,
            images_per_second=round((state.step - self._step) * self._images / max(passed, 1e-9), 2),
            waiting=round((state.waited - self._waited) / max(passed, 1e-9), 4),
            **values,
        )
        self._last, self._step, self._waited = now, state.step, state.waited
