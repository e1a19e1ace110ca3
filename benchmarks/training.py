"""One training of `ghbench train`, unless its run is finished; one thread, its messages in a file beside the run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

import numpy as np
from scipy import stats

from ghbench import locations
from ghbench.cores import usable_cores

Run = TypeVar("Run")
AT_ONCE = usable_cores()
"""Trainings at once: small networks gain nothing from more threads."""


def train(name: str, command: Sequence[str]) -> None:
    """Train.

    Args:
        name: Name of the run.
        command: `ghbench`, and its arguments.

    Raises:
        CalledProcessError: The training failed; its messages say why.
        SystemExit: It was trained by another command.
    """
    runs, line = locations.cache() / "runs", " ".join(command)
    log = runs / f"{name}.log"
    if (runs / name / "model.safetensors").is_file():
        made_by = log.read_text().partition("\n")[0] if log.is_file() else ""
        if made_by == line:
            return
        by = f"by another command, {made_by}" if made_by.startswith("ghbench ") else "by a command that is not known"
        raise SystemExit(f"{runs / name} was trained {by}; move it away, or: rm -r {runs / name}")
    runs.mkdir(parents=True, exist_ok=True)
    executable = str(Path(sys.executable).with_name(command[0]))
    with log.open("w") as stream:
        print(line, file=stream, flush=True)
        subprocess.run(
            [executable, *command[1:]], check=True, stdout=stream, stderr=stream,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip


def trained(runs: Iterable[Run], work: Callable[[Run], object]) -> Iterator[Run]:
    """Runs as their trainings end, several at once.

    Args:
        runs: What is to be trained.
        work: Trains one.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = {pool.submit(work, run): run for run in runs}
        for future in as_completed(started):
            future.result()
            yield started[future]


def reach(values: np.ndarray) -> float:
    """Half of the 95 % interval of a mean, by Student's t."""
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
