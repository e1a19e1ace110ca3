"""Features that know the answers: what a target says of each image, in place of what an extractor sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.dataset import Dataset, Target
from ghbench.testing.violation import demand

_CLASS_NUMBERS = 64
"""Numbers that stand for a class: random ones, so that no two classes are alike."""


@dataclass(frozen=True, eq=False)
class Informed:
    """Stands for stored features of a role and a view: every level is the same.

    Args:
        values: float32 [N, D].
    """

    values: NDArray[np.float32]

    def read(self, level: str) -> NDArray[np.float32]:  # noqa: ARG002 - as `StoredFeatures.read`
        """The features of any level."""
        return self.values


def informed(datasets: Mapping[str, Dataset], answers: Sequence[str]) -> dict[str, Informed]:
    """Features by role, made of targets.

    Args:
        datasets: By role.
        answers: Names of the targets, which all of them must have.

    Raises:
        ConformanceError: One has no such target.
    """
    found = {}
    for role, dataset in datasets.items():
        missing, known = set(answers) - set(dataset.targets), ", ".join(dataset.targets) or "none"
        demand(not missing, f"role {role!r} has no target {', '.join(sorted(missing))}; it has {known}")
        found[role] = Informed(np.concatenate([_numbers(dataset.targets[name]) for name in answers], axis=1))
    return found


def _numbers(target: Target) -> NDArray[np.float32]:
    values: NDArray[Any] = np.asarray(target.values)
    if target.unit == "class":
        stands = np.random.default_rng(0).standard_normal((len(target.names), _CLASS_NUMBERS))
        values = stands[values]
    numbers: NDArray[np.float32] = np.nan_to_num(values.reshape(len(values), -1).astype(np.float32))
    return numbers
