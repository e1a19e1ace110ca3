"""The training loop: sample order, seeds, averages, checkpoints, log, grids, interruption."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ghbench.errors import DataError, UsageError
from ghbench.training.machine import Machine
from ghbench.training.order import rows_at, step_seed
from ghbench.training.recipe import Batch, Recipe
from ghbench.training.run_folder import RunFolder, not_finite

PATIENCE = 8
"""Steps in a row whose losses are not finite, after which a run has diverged; single ones are skipped."""

Report = Callable[[int, int, str], None]
"""Called with images shown, images in total, and a line with losses and speed."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Length of a run, and when to log, save and evaluate.

    Args:
        images: Images of the run.
        seed: Seed of the sample order and of all randomness.
        checkpoint_minutes: Minutes between checkpoints.
        log_every: Images between lines of the log.
        pictures_every: Images between grids, 0 for the last only.
        evaluate_every: Images between evaluations, 0 for the last only.
        until: Images after which to stop early, measure and export; 0 for all. You can resume the run later.
    """

    images: int
    seed: int = 0
    checkpoint_minutes: float = 3.0
    log_every: int = 2_000
    pictures_every: int = 20_000
    evaluate_every: int = 0
    until: int = 0

    @property
    def end(self) -> int:
        """Images at which this call ends."""
        return min(self.images, self.until or self.images)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call of `train` ended.

    Args:
        shown: Images shown so far.
        finished: Whether this call showed all its images.
        metrics: Final metrics, empty if interrupted.
    """

    shown: int
    finished: bool
    metrics: Mapping[str, float]


def train(
    recipe: Recipe,
    schedule: Schedule,
    folder: RunFolder,
    machine: Machine,
    *,
    command: str = "",
    report: Report = lambda _shown, _total, _line: None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train until all images are shown or the run is interrupted; the same call resumes it.

    A resumed run sees the same images in the same order with the same seeds as an uninterrupted one, and ends with the
    same weights (bit for bit on one machine with one number of threads).

    Args:
        recipe: What to train.
        schedule: How long, and when to log, save and evaluate.
        folder: The run's folder.
        machine: Where to compute.
        command: The command that started the run, for the card.
        report: Called with the progress after each step.
        stop: Whether to stop, called after each step; SIGINT and SIGTERM stop as well.

    Raises:
        UsageError: The run was started with other settings, or another process is training it.
        DataError: The run diverged: losses, weights or averages are not finite. The checkpoints are from before that.
            Or no checkpoint is readable.
    """
    if recipe.batch % machine.world:
        raise UsageError(f"a batch of {recipe.batch} cannot be split over {machine.world} processes")
    machine.launch()
    lock = folder.lock() if machine.main else None
    try:
        with _interruptions() as interrupted:
            session = _Session(recipe, schedule, folder, machine, command, report)
            return session.run(lambda: machine.any(interrupted() or stop()))
    finally:
        if lock is not None:
            lock.release()


class _Session:
    """One call of `train`."""

    def __init__(
        self, recipe: Recipe, schedule: Schedule, folder: RunFolder, machine: Machine, command: str, report: Report
    ) -> None:
        self.recipe, self.schedule, self.folder, self.machine = recipe, schedule, folder, machine
        self.command, self.report = command, report
        self.step, self.shown = 0, 0
        self.bad, self.lost, self.bad_lines = 0, 0, 0
        self.seconds, self.seconds_now = 0.0, 0.0
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def run(self, stop: Callable[[], bool]) -> Outcome:
        recipe, schedule, machine = self.recipe, self.schedule, self.machine
        self._begin()
        recipe.prepare(machine)
        started = saved = time.monotonic()
        began_at, speed, stopping = self.shown, 0.0, False
        while self.shown < schedule.end:
            self._one_step()
            now = time.monotonic()
            speed = (self.shown - began_at) / max(now - started, 1e-9)
            self.seconds_now = self.seconds + now - started
            if self.bad >= PATIENCE:
                raise self._divergence("losses or gradients")
            self._milestones(speed)
            stopping = stop() or stopping
            if self.bad:  # weights that give no losses are not worth a checkpoint; the next steps show whether it lasts
                continue
            if stopping:
                self._save()
                return Outcome(self.shown, finished=False, metrics={})
            if machine.any(now - saved > 60 * schedule.checkpoint_minutes):
                self._save()
                saved = time.monotonic()
        self.seconds_now = self.seconds + time.monotonic() - started
        self._save()
        return self._finish()

    def _begin(self) -> None:
        recipe, machine = self.recipe, self.machine
        if machine.main:
            settings = {**asdict(self.schedule), **recipe.describe(), "recipe": recipe.name}
            for free in ("images", "checkpoint_minutes", "log_every", "pictures_every", "evaluate_every", "until"):
                settings.pop(free)
            self.folder.settle({**settings, "precision": machine.precision, "processes": machine.world})
        for network in recipe.networks.values():
            network.to(machine.device)
        for average in recipe.averages.values():
            average.module.to(machine.device)
        state = self.folder.load()
        if state is not None:
            self._restore(state)
        shown = torch.tensor(float(self.shown), device=machine.device, dtype=torch.float64)
        if machine.any(machine.mean(shown.clone()).item() != shown.item()):
            raise UsageError(
                f"not all processes find the same checkpoint in {self.folder.path}",
                fix="--run FOLDER, a folder that all machines share",
            )
        if self.shown >= self.schedule.end + recipe.batch:
            raise UsageError(
                f"{self.folder.path} has already seen {self.shown:,} images, more than {self.schedule.end:,}",
                fix="ask for more images, or choose another name: --run OTHER",
            )
        machine.share(recipe.networks.values())
        if machine.main:
            self.folder.rewind(self.shown)
            self.folder.log(
                {"shown": self.shown, "event": "start" if state is None else "resume", **machine.describe()}
            )

    def _one_step(self) -> None:
        recipe, machine, seed = self.recipe, self.machine, self.schedule.seed
        share = recipe.batch // machine.world
        first = self.shown + machine.rank * share
        rows = rows_at(recipe.items, first, share, seed) if recipe.items else rows_at(1, 0, 0, seed)
        positions = torch.arange(first, first + share).numpy()
        torch.manual_seed(step_seed(seed, self.step, machine.rank))
        losses = recipe.step(Batch(self.step, self.shown, positions, rows, recipe.batch))
        lost = machine.updates_lost() > 0 or not all(bool(torch.isfinite(value).all()) for value in losses.values())
        self.bad = self.bad + 1 if machine.any(lost) else 0
        self.lost += bool(self.bad)
        self.step += 1
        self.shown += recipe.batch
        for average in recipe.averages.values():
            average.update(self.shown, recipe.batch)
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, torch.zeros((), device=value.device)) + value.detach().float()
            self.counts[name] = self.counts.get(name, 0) + 1

    def _milestones(self, speed: float) -> None:
        schedule, recipe, shown = self.schedule, self.recipe, self.shown

        def due(every: int) -> bool:
            return every > 0 and shown // every > (shown - recipe.batch) // every

        if due(schedule.log_every):
            # Regularisers have steps of their own, fewer than the losses.
            means = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
            self.bad_lines = self.bad_lines + 1 if self.lost else 0
            self.sums, self.counts, self.lost = {}, {}, 0
            if self.bad_lines > 3:
                raise self._divergence("losses or gradients")
            if self.machine.main:
                line = {"shown": shown, "images_per_second": round(speed, 2), **_round(means)}
                self.folder.log({**line, "hours": round(self.seconds_now / 3600, 4)})
                summary = "  ".join(f"{name} {value:.3g}" for name, value in means.items())
                self.report(shown, schedule.end, f"{summary}  {speed:.0f} images/s")
        elif self.machine.main:
            self.report(shown, schedule.end, "")
        if self.machine.main and due(schedule.pictures_every):
            self._save_grid()
        if due(schedule.evaluate_every) and shown < schedule.end and not self.bad:
            self._save()
            if not self.machine.main:
                return
            self.report(shown, schedule.end, "measuring")
            metrics = recipe.evaluate(final=False)
            if metrics:
                self.folder.log({"shown": shown, "event": "evaluation", **_round(metrics)})

    def _finish(self) -> Outcome:
        metrics: Mapping[str, float] = {}
        if self.machine.main:
            self._save_grid()
            self.report(self.shown, self.schedule.end, "measuring the trained network")
            metrics = self.recipe.evaluate(final=True)
            facts = {
                "images": self.shown, "steps": self.step, "seed": self.schedule.seed, "command": self.command,
                "hours": round(self.seconds_now / 3600, 3), "metrics": dict(metrics), **self.machine.describe(),
            }  # fmt: skip
            self.recipe.export(self.folder.path, facts)
            event = "finished" if self.schedule.end == self.schedule.images else "stopped"
            self.folder.log({"shown": self.shown, "event": event, **_round(metrics)})
        return Outcome(self.shown, finished=True, metrics=metrics)

    def _save_grid(self) -> None:
        image = self.recipe.pictures()
        if image is not None:
            self.folder.save_grid(self.shown, image)

    def _save(self) -> None:
        """Write a checkpoint, which must be healthy: it takes the place of an older one."""
        recipe = self.recipe
        state = {
            "step": self.step, "shown": self.shown, "seconds": self.seconds_now,
            "networks": {name: network.state_dict() for name, network in recipe.networks.items()},
            "averages": {name: average.module.state_dict() for name, average in recipe.averages.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in recipe.optimisers.items()},
            "sums": self.sums, "counts": self.counts, "lost": self.lost, "recipe": dict(recipe.state()),
        }  # fmt: skip
        broken = not_finite(state)
        # In all processes, so that none waits for another one that has stopped.
        if self.machine.any(bool(broken)) or self.bad:
            raise self._divergence(f"the weights of {', '.join(broken)}" if broken else "losses or gradients")
        if self.machine.main:
            self.folder.save(self.shown, state)

    def _divergence(self, what: str) -> DataError:
        name, kept = self.recipe.name, self.folder.checkpoints()
        healthy = f"the last healthy state is {kept[-1]}" if kept else "no state was saved before"
        again = "; the same command resumes from that state" if kept else ""
        if self.machine.main:
            self.folder.log({"shown": self.shown, "event": "diverged", "not finite": what})
        return DataError(
            f"{name} diverged: after {self.shown:,} images {what} are not finite; {healthy}",
            fix=f"start another run with a lower learning rate or --precision 32-true: --run OTHER -o rate=...{again}",
        )

    def _restore(self, state: Mapping[str, Any]) -> None:
        try:
            self._load(state)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise DataError(
                f"the checkpoints in {self.folder.path} are of another recipe or version: {error}",
                fix="choose another name: --run OTHER",
            ) from error

    def _load(self, state: Mapping[str, Any]) -> None:
        recipe = self.recipe
        for name, network in recipe.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, average in recipe.averages.items():
            average.module.load_state_dict(state["averages"][name])
        for name, optimiser in recipe.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.step, self.shown, self.seconds = state["step"], state["shown"], state["seconds"]
        self.sums, self.counts, self.lost = dict(state["sums"]), dict(state["counts"]), state["lost"]
        self.seconds_now = self.seconds
        recipe.restore(state["recipe"])


def _round(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in values.items()}


@contextmanager
def _interruptions() -> Iterator[Callable[[], bool]]:
    """A function that tells whether SIGINT or SIGTERM has arrived; a second signal acts as usual."""
    caught: list[int] = []
    before: dict[signal.Signals, Any] = {}

    def note(number: int, _frame: object) -> None:
        caught.append(number)
        sys.stderr.write(
            "\nstopping after this step; interrupt again to stop now and lose the work since the last checkpoint\n"
        )
        signal.signal(number, before[signal.Signals(number)])

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, note)
    except ValueError:  # not the main thread; the caller's `stop` still works
        before = {}
    try:
        yield lambda: bool(caught)
    finally:
        for caught_signal, handler in before.items():
            signal.signal(caught_signal, handler)
