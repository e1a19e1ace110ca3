"""What a recipe is: the networks, and one step of their training. The loop does everything else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from ghbench.training.averages import MovingAverage
from ghbench.training.machine import Machine


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's share of the data for one process.

    Args:
        step: Steps made before.
        shown: Images shown before this step, by all processes.
        positions: int64 [n], the places of this batch in the endless sequence of the run; seeds for generated data.
        rows: int64 [n], rows of the training set; empty for recipes without one.
        total: Images of this step in all processes.
    """

    step: int
    shown: int
    positions: NDArray[np.int64]
    rows: NDArray[np.int64]
    total: int


class Recipe(ABC):
    """What is trained, and how.

    Attributes:
        name: Name on the command line.
        items: Rows of the training set, 0 where the data is made by code.
        batch: Images of a step, in all processes together.
        networks: Trained networks by name; saved and restored by the loop.
        optimisers: By name; saved and restored.
        averages: Moving averages by name of the network; updated, saved and restored by the loop.
    """

    name: ClassVar[str]
    items: int = 0
    batch: int
    networks: dict[str, nn.Module]
    optimisers: dict[str, Optimizer]
    averages: dict[str, MovingAverage]

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """Everything that decides what comes out, as JSON values; a run resumes only under the same description."""

    @abstractmethod
    def prepare(self, machine: Machine) -> None:
        """Called once when the networks are on the device and hold their weights: compile what is to be compiled."""

    @abstractmethod
    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """Train on one batch. All chance comes from PyTorch's default generator, which the loop seeds before each step.

        Returns:
            Scalars for the log.
        """

    def pictures(self) -> NDArray[np.uint8] | None:
        """A grid of pictures uint8 [H, W, 3] that shows how far the training is; None for none."""
        return None

    def evaluate(self, *, final: bool) -> Mapping[str, float]:  # noqa: ARG002
        """Metrics of the averaged weights; `final` at the end of the run, where the full number of images is used."""
        return {}

    def state(self) -> Mapping[str, Any]:
        """What else must survive an interruption: tensors, numbers, text."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - most recipes have nothing more to restore
        """Take back what `state` gave."""

    @abstractmethod
    def export(self, folder: Path, history: Mapping[str, Any]) -> None:
        """Write the finished weights and their card into `folder`.

        Args:
            folder: The run's folder.
            history: Images shown, seed, hours, command and the final metrics, for the card.
        """
