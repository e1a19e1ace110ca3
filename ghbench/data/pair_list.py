"""Pairs of images, named by person and image number until a dataset turns them into rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ghbench.data.spelling import check_one_spelling, nfc
from ghbench.dataset import Dataset, labels
from ghbench.errors import DataError

# The number that ends an id, whether or not a file name ending follows: s01/07, Ann_Lee/0002, Ann_Lee_0002.jpg.
_PICTURE_NUMBER = re.compile(r"(?<!\d)(\d{1,18})(?:\.[A-Za-z]\w*)?$")


@dataclass(frozen=True, slots=True, eq=False)
class PairList:
    """Pairs to verify, in folds.

    Args:
        people: Names that occur, in NFC.
        pictures: int64 [N, 2, 2]; of each pair the left and the right image as (index into `people`, number).
        fold: int64 [N] fold of each pair, counted from 0.
        source: File or function that the pairs come from, for messages.
        lines: int64 [N] line of each pair in its file, None if there is no file.
        rows: int64 [N, 2] rows of a dataset, None until resolved.
    """

    people: tuple[str, ...]
    pictures: NDArray[np.int64]
    fold: NDArray[np.int64]
    source: str
    lines: NDArray[np.int64] | None = None
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.fold)

    @property
    def same(self) -> NDArray[np.bool_]:
        """Bool [N]: whether both images show one person."""
        return np.equal(self.pictures[:, 0, 0], self.pictures[:, 1, 0])

    @property
    def left(self) -> NDArray[np.int64]:
        """int64 [N] row of the left image. Raises DataError before `resolve`."""
        return self._resolved()[:, 0]

    @property
    def right(self) -> NDArray[np.int64]:
        """int64 [N] row of the right image. Raises DataError before `resolve`."""
        return self._resolved()[:, 1]

    def resolve(self, dataset: Dataset) -> PairList:
        """The same pairs with rows of a dataset whose labels are people and whose ids end in image numbers.

        Args:
            dataset: For instance `orl` or `lfw`.

        Returns:
            Resolved pairs.

        Raises:
            DataError: A person or an image that the dataset does not have; the message names line and image.
        """
        return self.locate(picture_rows(dataset))

    def locate(self, rows: Mapping[tuple[str, int], int]) -> PairList:
        """The same pairs with rows looked up by person and image number.

        Raises:
            DataError: A person or an image that is not there; the message names line and image.
        """
        named, place = np.unique(self.pictures.reshape(-1, 2), axis=0, return_inverse=True)
        row = np.array([rows.get((self.people[person], number), -1) for person, number in named.tolist()], np.int64)
        found = row[place.reshape(-1, 2)]
        lost = np.argwhere(found < 0)
        if len(lost):
            self._raise_missing(tuple(lost[0]), rows)
        return replace(self, rows=found)

    def _raise_missing(self, where: tuple[int, ...], rows: Mapping[tuple[str, int], int]) -> None:
        pair, side = where
        person, number = self.pictures[pair, side]
        name = self.people[person]
        place = self.source if self.lines is None else f"{self.source}, line {self.lines[pair]}"
        present = sorted(picture for other, picture in rows if other == name)
        if not present:
            raise DataError(f"{place}: person {name!r} is not among the images; expected one of their people")
        raise DataError(
            f"{place}: there is no image {number} of {name!r}; "
            f"expected one of the {len(present)} numbered {present[0]} to {present[-1]}"
        )

    def _resolved(self) -> NDArray[np.int64]:
        if self.rows is None:
            raise DataError(f"pairs of {self.source} have names but no rows yet", fix="pairs.resolve(dataset)")
        return self.rows


def picture_rows(dataset: Dataset) -> dict[tuple[str, int], int]:
    """Row of each image by the name of its person and the number at the end of its id.

    Raises:
        DataError: No labels, an id without a number, or two images of a person with one number.
    """
    people = labels(dataset)
    check_one_spelling(people.names, f"dataset {dataset.card().name!r}")
    rows: dict[tuple[str, int], int] = {}
    for row, (name, label) in enumerate(zip(dataset.ids, people.values, strict=True)):
        match = _PICTURE_NUMBER.search(name)
        if match is None:
            raise DataError(f"id {name!r} has no image number; expected a name like Ann_Lee_0001")
        key = (nfc(people.names[label]), int(match[1]))
        if key in rows:
            raise DataError(f"ids {dataset.ids[rows[key]]!r} and {name!r} are both image {key[1]} of {key[0]!r}")
        rows[key] = row
    return rows
