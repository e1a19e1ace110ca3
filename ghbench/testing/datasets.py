"""Does a dataset keep the contract of `ghbench.dataset`?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from ghbench.dataset import Dataset, DatasetCard, Drawn, PartlyKnown, Target, targets_of
from ghbench.progress import silent
from ghbench.testing.violation import demand, demand_texts, is_digest, pickled

_TWINS = 2
"""Pairs of rows of equal identity whose pixels are compared."""


def check_dataset(dataset: Dataset, again: Dataset | None = None, rows: int = 4) -> DatasetCard:
    """Check a dataset against the contract; a few of its images are decoded or drawn.

    The card names a licence. Ids are unique and name no path of this machine; splits are disjoint. An image is uint8
    [H, W, 3], the same in any order and every time; identities stay, and rows of equal identity have equal images.
    Targets are as long as the dataset and say their unit. All of it survives pickling.

    Args:
        dataset: What to check.
        again: The same dataset, made a second time; it must have the same ids, identities and images.
        rows: How many images to look at, from the first to the last.

    Returns:
        The dataset's card.

    Raises:
        ConformanceError: The sentence of the contract that does not hold.
    """
    demand(isinstance(dataset, Dataset), f"{type(dataset).__name__} lacks an attribute or method of Dataset")
    card = dataset.card()
    demand(isinstance(card, DatasetCard), f"card() returns {type(card).__name__}, not ghbench's DatasetCard")
    demand_texts("card()", card, ("name", "title", "licence", "source", "use"))
    name, count = card.name, len(dataset)
    demand(count, f"{name}: there are no images")
    _check_rows(name, dataset)
    identities = _identities(name, dataset)
    looked_at = np.unique(np.linspace(0, count - 1, min(rows, count)).astype(np.int64))
    twins = _twins(identities)
    _check_targets(name, dataset, looked_at)
    images = _images(name, dataset, [*looked_at.tolist(), *(row for pair in twins for row in pair)])
    for first, second in twins:
        same = np.array_equal(images[first], images[second])
        demand(same, f"{name}: rows {first} and {second} have one identity and different images")
    others = {"asked again": dataset, "pickled": pickled(dataset, f"{name}: the dataset")}
    for how, other in (others if again is None else others | {"made again": again}).items():
        assert isinstance(other, Dataset)
        demand(list(other.ids) == list(dataset.ids), f"{name}: {how}, it has other ids")
        demand(_identities(name, other) == identities, f"{name}: {how}, it has other identities")
        row = int(looked_at[-1])
        demand(np.array_equal(_images(name, other, [row])[row], images[row]), f"{name}: {how}, row {row} differs")
    return card


def _check_rows(name: str, dataset: Dataset) -> None:
    ids, count = list(dataset.ids), len(dataset)
    demand(len(ids) == count, f"{name}: {len(ids)} ids for {count} images")
    demand(all(isinstance(one, str) and one for one in ids), f"{name}: ids must be texts that are not empty")
    demand(len(set(ids)) == count, f"{name}: an id is there twice")
    own = next((one for one in ids if PurePosixPath(one).is_absolute() or PureWindowsPath(one).is_absolute()), None)
    demand(own is None, f"{name}: the id {own!r} is a path of this machine")
    seen = np.zeros(count, dtype=bool)
    for split, rows in dataset.splits.items():
        whole = isinstance(rows, np.ndarray) and np.issubdtype(rows.dtype, np.integer) and rows.ndim == 1
        demand(whole, f"{name}: split {split!r} must be an array of rows, int64 [M]")
        demand(len(rows) == 0 or (rows.min() >= 0 and rows.max() < count), f"{name}: split {split!r} leaves the rows")
        demand(len(np.unique(rows)) == len(rows), f"{name}: split {split!r} holds a row twice")
        demand(not seen[rows].any(), f"{name}: split {split!r} shares rows with another one")
        seen[rows] = True
    recipe = dataset.recipe_digest
    demand(recipe is None or is_digest(recipe), f"{name}: recipe_digest is neither None nor a hexadecimal sha256")


def _identities(name: str, dataset: Dataset) -> list[str]:
    found = list(dataset.identities())
    demand(len(found) == len(dataset), f"{name}: {len(found)} identities for {len(dataset)} images")
    demand(all(isinstance(one, str) and one for one in found), f"{name}: identities must be texts that are not empty")
    return found


def _twins(identities: Sequence[str]) -> list[tuple[int, int]]:
    """The first rows that share an identity."""
    first: dict[str, int] = {}
    pairs = [(first.setdefault(one, row), row) for row, one in enumerate(identities)]
    return [(one, other) for one, other in pairs if one != other][:_TWINS]


def _check_targets(name: str, dataset: Dataset, rows: NDArray[np.int64]) -> None:
    partly = isinstance(dataset, PartlyKnown)
    # What is worked out by drawing is worked out for the rows that are looked at.
    targets: Mapping[str, Target] = targets_of(dataset, rows) if partly else dataset.targets
    count = len(rows) if partly else len(dataset)
    for key, target in targets.items():
        demand(isinstance(target, Target), f"{name}: target {key!r} is a {type(target).__name__}, not ghbench's Target")
        demand(target.name == key, f"{name}: target {key!r} calls itself {target.name!r}")
        demand(target.unit, f"{name}: target {key!r} has no unit")
        demand(len(target.values) == count, f"{name}: target {key!r} has {len(target.values)} entries, not {count}")
        numbers = np.issubdtype(target.values.dtype, np.number) or target.values.dtype == np.bool_
        demand(numbers, f"{name}: target {key!r} holds {target.values.dtype}, which are no numbers")
        demand(not np.isinf(target.values).any(), f"{name}: target {key!r} holds an infinite number")


def _images(name: str, dataset: Dataset, rows: Sequence[int]) -> dict[int, NDArray[np.uint8]]:
    """Images of rows, read one after the other, then backwards."""
    wanted = list(dict.fromkeys(rows))
    if isinstance(dataset, Drawn):
        dataset.draw(wanted, silent)
    found = {}
    for row in wanted:
        image = dataset.image(row)
        shaped = isinstance(image, np.ndarray) and image.ndim == 3 and image.shape[2] == 3 and image.size
        demand(shaped and image.dtype == np.uint8, f"{name}: image({row}) is not uint8 [H, W, 3]")
        found[row] = image.copy()
        if image.flags.writeable:
            image[:] = 255 - image  # a reader may do this; the dataset must not notice
    for row in reversed(wanted):
        same = np.array_equal(dataset.image(row), found[row])
        demand(same, f"{name}: image({row}) is another one when it is read again, in another order")
    return found
