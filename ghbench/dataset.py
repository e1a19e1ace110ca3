"""What a dataset is: images by row, their ids and identities, what is known of each image, a card and splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ghbench.digests import digest_array, digest_json
from ghbench.errors import DataError
from ghbench.extractor import Domain
from ghbench.progress import Progress


@dataclass(frozen=True, slots=True)
class DatasetCard:
    """What a reader must know before using the images.

    Args:
        name: Registered name.
        title: Full name.
        licence: Licence or, where there is none, the terms as the source states them.
        citation: What to cite.
        source: Where the images come from.
        related: Names of datasets that share images or people with it; training on one of them forbids scoring here.
        named: Whether the name says which images these are; False for folders and files of the user.
        use: What the images may be used for.
        domain: Where the images come from.
        by_person: Whether labels are people, who are then what varies independently.
        may_show: Whether a page with some of its images may be passed on.
    """

    name: str
    title: str
    licence: str
    citation: str
    source: str
    related: tuple[str, ...] = ()
    named: bool = True
    use: str = "evaluation and training"
    domain: Domain = "real"
    by_person: bool = False
    may_show: bool = True


@dataclass(frozen=True, eq=False)
class Target:
    """What is known of each image beside its pixels: class labels, points, factors, poses, masks.

    Args:
        name: `label`, `points`, `factors`, `pose`, `mask`, ...
        values: [N, ...], one entry an image; NaN where a value is not known.
        unit: `class`, `pixels`, `radians`, ... Points in pixels count pixel i from i to i + 1, x before y.
        names: Class names where the unit is `class` (int64 [N] values index them); else names of the points, factors
            or axes.
        made_by: Digest of the program that gives the values of each image, where they are computed: their last digits
            differ between processors. None where they are data.

    Raises:
        DataError: Classes that are not int64 [N], or have no name.
    """

    name: str
    values: NDArray[Any]
    unit: str
    names: Sequence[str] = ()
    made_by: str | None = None

    def __post_init__(self) -> None:
        if self.unit != "class":
            return
        if self.values.ndim != 1 or self.values.dtype != np.int64:
            raise DataError(
                f"target {self.name!r}: {self.values.dtype} {self.values.shape}; expected classes, int64 [N]"
            )
        if len(self.values) and not 0 <= self.values.min() <= self.values.max() < len(self.names):
            raise DataError(
                f"target {self.name!r}: classes {self.values.min()} to {self.values.max()}; "
                f"expected 0 to {len(self.names) - 1}, which have names"
            )

    @cached_property
    def digest(self) -> str:
        """Hexadecimal sha256 of name, unit, names, and of the values or else of the program that gives them."""
        return digest_json([self.name, self.unit, list(self.names), self.made_by or digest_array(self.values)])

    def rows(self, rows: ArrayLike) -> Target:
        """The same of some rows, int [M], in their order."""
        return replace(self, values=self.values[np.asarray(rows, dtype=np.int64)])


@runtime_checkable
class Dataset(Protocol):
    """Images in a fixed order. Making one decodes and draws nothing; `image` and `image_digests` do, `targets` may.

    Attributes:
        ids: One unique, portable id a row (no path of this machine).
        splits: Row indices by split name; the splits do not overlap.
        recipe_digest: Digest of the code and seeds where images are made by code, else None.
    """

    ids: Sequence[str]
    splits: Mapping[str, NDArray[np.int64]]
    recipe_digest: str | None

    @property
    def targets(self) -> Mapping[str, Target]:
        """What is known of the images, by the target's name; empty where nothing is.

        Classes or people are the target `label`. A plain attribute will do; working it out may take a while.
        """
        ...

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        ...

    def __len__(self) -> int: ...

    def image(self, row: int) -> NDArray[np.uint8]:
        """Decode one image: uint8 [H, W, 3] RGB."""
        ...

    def identities(self) -> Sequence[str]:
        """What identifies each row's image.

        Of a file the sha256 of its bytes, of an image in memory its pixel digest, of a generated image a digest of its
        recipe and seed: equal identities, equal images.
        """
        ...

    def image_digests(self) -> Sequence[str]:
        """Digest of each row's decoded pixels, see `ghbench.digests.digest_array`; of generated images `identities()`.

        For training records, which know an image in any file format.
        """
        ...


@runtime_checkable
class Drawn(Protocol):
    """A dataset whose images may have to be drawn first."""

    def draw(self, rows: Sequence[int], progress: Progress) -> None:
        """Make sure that the images of these rows exist; what was drawn before is kept.

        Args:
            rows: Rows.
            progress: Called at once, and then every few images, with how many of the missing ones are drawn.
        """
        ...


@runtime_checkable
class PartlyKnown(Protocol):
    """A dataset that can work out the targets of some rows without those of all."""

    def targets_of(self, rows: NDArray[np.int64]) -> Mapping[str, Target]:
        """The targets of rows, int64 [M], in their order."""
        ...


def targets_of(dataset: Dataset, rows: NDArray[np.int64]) -> Mapping[str, Target]:
    """The targets of some rows of a dataset, int64 [M], in their order."""
    if isinstance(dataset, PartlyKnown):
        return dataset.targets_of(rows)
    return {name: target.rows(rows) for name, target in dataset.targets.items()}


def labels(dataset: Dataset) -> Target:
    """Class or person of each image: the target `label`, int64 [N].

    Raises:
        DataError: The dataset has none.
    """
    if "label" not in dataset.targets:
        raise DataError(f"dataset {dataset.card().name!r} has no labels; expected a class or person for each image")
    return dataset.targets["label"]


def content_digest(dataset: Dataset) -> str:
    """Digest of ids, identities and targets: equal digests, equal inputs.

    Returns:
        Hexadecimal sha256.
    """
    targets = [dataset.targets[name].digest for name in sorted(dataset.targets)]
    return digest_json([list(dataset.ids), list(dataset.identities()), targets])
