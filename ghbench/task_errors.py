"""What a task says of its records that are wrong, for whoever wants to look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from ghbench.task import Role


@dataclass(frozen=True, eq=False)
class ErrorList:
    """Records that are wrong in one way, for whoever wants to look at them.

    Args:
        title: In the field's terms: `false accepts`, `highest mse`.
        what: What the error is, in a few words.
        role: Role of the dataset whose images they are about; None: the one that is judged.
        images: int64 [K, M] rows of that dataset, or for None of its split: M is 1 for items, 2 for pairs.
        error: float64 [K], larger is worse.
        shown: More numbers of each record, by name: float64 [K].
    """

    title: str
    what: str
    role: str | None
    images: NDArray[np.int64]
    error: NDArray[np.float64]
    shown: Mapping[str, NDArray[np.float64]]


@runtime_checkable
class WithErrors(Protocol):
    """A task that can say which of its records are wrong, and how far."""

    def errors(self, records: pd.DataFrame) -> Sequence[ErrorList]:
        """Wrong records by kind, in any order; kinds of which there are none are left out.

        Args:
            records: What `evaluate` returned, of one level where levels were evaluated one by one.
        """
        ...


def errors_of_images(
    title: str,
    what: str,
    records: pd.DataFrame,
    error: NDArray[np.floating],
    shown: Mapping[str, NDArray[Any]] = MappingProxyType({}),
) -> list[ErrorList]:
    """Errors of a table with one record an image of the judged dataset, its row in `image`.

    Args:
        title: See `ErrorList`.
        what: What the error is, in a few words.
        records: The table.
        error: float [N], 0 or NaN where nothing is wrong.
        shown: More numbers of each record, by name: [N].

    Returns:
        One list of all images whose error is above 0; none where there is no such image.
    """
    wrong = np.flatnonzero(error > 0)
    if not len(wrong):
        return []
    rows = records["image"].to_numpy(np.int64)[wrong, None]
    numbers = {name: values[wrong].astype(np.float64) for name, values in shown.items()}
    return [ErrorList(title, what, None, rows, error[wrong].astype(np.float64), numbers)]


def of_whole(found: ErrorList, roles: Mapping[str, Role]) -> ErrorList:
    """The same records with their role named, and their images as rows of all of its dataset."""
    if found.role is not None:
        return found
    name, role = next((name, role) for name, role in roles.items() if role.judged)
    rows = found.images if role.split is None else role.dataset.splits[role.split][found.images]
    return replace(found, role=name, images=rows)
