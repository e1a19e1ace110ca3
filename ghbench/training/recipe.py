"""What a recipe is: networks, and one training step. The loop does the rest."""

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
        step: Steps before this one.
        shown: Images shown before this step, by all processes.
        positions: int64 [n], positions of the batch in the run's endless sequence; seeds for generated data.
        rows: int64 [n], rows of the training set; empty for recipes without one.
        total: Images of this step in all processes.
    """

    step: int
    shown: int
    positions: NDArray[np.int64]
    rows: NDArray[np.int64]
    total: int


class Recipe(ABC):
    """What to train, and how.

    Attributes:
        name: Name on the command line.
        items: Rows of the training set, 0 for generated data.
        batch: Images a step, over all processes.
        networks: Trained networks by name; the loop saves and restores them.
        optimisers: Optimisers by name; the loop saves and restores them.
        averages: Moving averages by network name; the loop updates, saves and restores them.
    """

    name: ClassVar[str]
    items: int = 0
    batch: int
    networks: dict[str, nn.Module]
    optimisers: dict[str, Optimizer]
    averages: dict[str, MovingAverage]

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """Everything that determines the result, as JSON values; a run resumes only with the same description."""

    @abstractmethod
    def prepare(self, machine: Machine) -> None:
        """Called once, when the networks are on the device with their weights; compile here."""

    @abstractmethod
    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """Train on one batch. All randomness must come from PyTorch's default generator, which the loop seeds.

        Returns:
            Scalars for the log.
        """

    def pictures(self) -> NDArray[np.uint8] | None:
        """A grid of images uint8 [H, W, 3] that shows the progress of training, None for no grid."""
        return None

    def evaluate(self, *, final: bool) -> Mapping[str, float]:  # noqa: ARG002
        """Metrics of the averaged weights; `final` at the end of the run, on the full number of images."""
        return {}

    def state(self) -> Mapping[str, Any]:
        """Further state to save in checkpoints: tensors, numbers, text."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - most recipes have nothing more to restore
        """Load what `state` returned."""

    @abstractmethod
    def export(self, folder: Path, history: Mapping[str, Any]) -> None:
        """Write the trained weights and their card into `folder`.

        Args:
            folder: The run's folder.
            history: Images shown, seed, hours, command and final metrics, for the card.
        """
