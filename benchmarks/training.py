"""One training of `ghbench train`, unless its run is finished; one thread, its messages in a file beside the run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ghbench import locations

AT_ONCE = os.cpu_count() or 1
"""Trainings at once: small networks gain nothing from more threads."""


def train(name: str, command: Sequence[str]) -> None:
    """Train.

    Args:
        name: Name of the run.
        command: `ghbench`, and its arguments.

    Raises:
        CalledProcessError: The training failed; its messages say why.
    """
    runs = locations.cache() / "runs"
    if (runs / name / "model.safetensors").is_file():
        return
    runs.mkdir(parents=True, exist_ok=True)
    executable = str(Path(sys.executable).with_name(command[0]))
    with (runs / f"{name}.log").open("w") as stream:
        subprocess.run(
            [executable, *command[1:]], check=True, stdout=stream, stderr=stream,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
