"""AUC of face verification on ORL under one alignment, with its bootstrap draws, so that systems can be paired."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from evaluated import evaluated
from ghbench_tasks.verification.faces import orl

from ghbench.results import scoring
from ghbench.results.statistics import Difference, paired_difference

METRIC = "auc"
TASK = orl(align="ffhq")


@dataclass(frozen=True)
class Auc:
    """The AUC of a system, or a mean over systems.

    Args:
        value: On all pairs.
        draws: float64 [B], bootstrap draws over people.
        people: Number of people.
        cell: Value and 95 % interval, as text.
    """

    value: float
    draws: np.ndarray
    people: int
    cell: str = ""

    def less(self, other: Auc) -> Difference:
        """The difference to another system, paired over people."""
        return paired_difference(self.value, other.value, self.draws, other.draws, self.people)


def auc(system: str) -> Auc:
    """Evaluate a system, given as spec string."""
    result, records = evaluated(system, TASK)
    draws = scoring.replicates(TASK, records, metrics=[METRIC], stream=result.digest)[METRIC, None]
    found = next(metric for metric in result.metrics if metric.metric == METRIC)
    units = scoring.units_of(TASK, records)
    assert found.value is not None
    assert found.interval is not None
    assert units is not None
    low, high = found.interval
    return Auc(found.value, draws, units.count, f"{found.value:.3f} [{low:.3f}, {high:.3f}]")


def mean_auc(systems: list[Auc]) -> Auc:
    """The mean over systems, draw by draw."""
    draws = np.mean([one.draws for one in systems], axis=0)
    return Auc(float(np.mean([one.value for one in systems])), draws, systems[0].people)


def signed(difference: Difference) -> str:
    """A difference with its interval, as text."""
    return f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
