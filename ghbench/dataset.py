"""What a dataset is: images by row, their ids and labels, a card, and digests that say exactly which images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_lines
from ghbench.extractor import Domain


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


@runtime_checkable
class Dataset(Protocol):
    """Images in a fixed order.

    Attributes:
        ids: One unique, portable id a row (no path of this machine).
        labels: int64 [N] class or person of each row, None without labels.
        label_names: Names of the labels; `labels[i]` indexes them.
        splits: Row indices by split name; the splits do not overlap.
        recipe_digest: Digest of the code and seeds where images are made by code, else None.
    """

    ids: Sequence[str]
    labels: NDArray[np.int64] | None
    label_names: Sequence[str]
    splits: Mapping[str, NDArray[np.int64]]
    recipe_digest: str | None

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        ...

    def __len__(self) -> int: ...

    def image(self, row: int) -> NDArray[np.uint8]:
        """Decode one image: uint8 [H, W, 3] RGB."""
        ...

    def image_digests(self) -> Sequence[str]:
        """Digest of each row's decoded pixels, see `ghbench.digests.digest_array`."""
        ...


def content_digest(dataset: Dataset) -> str:
    """Digest of ids, labels and pixels: equal digests, equal inputs.

    Args:
        dataset: Any dataset.

    Returns:
        Hexadecimal sha256.
    """
    names = dataset.label_names
    labels = [""] * len(dataset) if dataset.labels is None else [names[label] for label in dataset.labels]
    lines = ("\t".join(row) for row in zip(dataset.ids, labels, dataset.image_digests(), strict=True))
    return digest_lines(lines)
