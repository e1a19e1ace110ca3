"""What a task can do beyond the protocol of `ghbench.task.Task`; each ability is a Protocol of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import Dataset
from ghbench.extractor import Subject
from ghbench.task import Lack, Units


@runtime_checkable
class Resampled(Protocol):
    """A task with metrics whose uncertainty is `units` or `runs`."""

    def units(self, records: pd.DataFrame) -> Units:
        """Say what the independent units of the records are."""
        ...


@runtime_checkable
class Replicating(Protocol):
    """A resampled task that can score many bootstrap draws at once, faster than one call of `score` a draw."""

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """Score every draw.

        Args:
            records: What `evaluate` returned.
            multiplicity: float64 [B, U] how often each draw holds each unit.
            metrics: Names of the metrics wanted, None for all; others may be left out.

        Returns:
            By (metric, level) a float64 [B], equal to `score` with the weights of each draw.
        """
        ...


@runtime_checkable
class WithConstants(Protocol):
    """A task some of whose reference rows are answers of its own: the mean image, a ceiling, the untouched input."""

    def constant(self, name: str) -> Subject | None:
        """The subject behind a reference's name, None for names of registered subjects.

        It need not satisfy `requires`; the task's `evaluate` knows it again in `inputs.subject`.
        """
        ...


@runtime_checkable
class Checking(Protocol):
    """A task that can tell from its datasets alone that it could not be scored: one person, one fold, one class."""

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Called with the rows in use, by role, before anything is extracted.

        Raises:
            DataError: Why there would be no score.
        """
        ...


@runtime_checkable
class Comparing(Protocol):
    """A task that compares features with one another, so that they may be brought into another metric first.

    Attributes:
        compares: True.
    """

    compares: bool


@runtime_checkable
class WithChance(Protocol):
    """A task that says what its main metric is worth to a subject that knows nothing."""

    def chance(self, records: pd.DataFrame) -> float | str:
        """What guessing reaches: a number, or the name of the constant that guesses.

        Args:
            records: What `evaluate` returned.
        """
        ...


@runtime_checkable
class Lacking(Protocol):
    """A task that can say, without computing anything, what it would have to leave out on this machine."""

    def lacking(self) -> Sequence[Lack]:
        """What is missing; an incomplete result is read back as long as this has not changed."""
        ...


@runtime_checkable
class Fitting(Protocol):
    """A task whose `score` fits classifiers, which end a little elsewhere on another processor.

    Attributes:
        fitted: Names of the metrics that come from them; each has a standard error of its own.
    """

    fitted: frozenset[str]
