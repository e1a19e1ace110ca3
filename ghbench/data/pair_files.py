"""LFW's pair files: read and written in the official format, and the dataset `pairs` of any such file.

The format, columns separated by tabs: a header `folds n`; then for each fold n matched lines `name i j` and n
mismatched lines `name1 i name2 j`. The development files have the header `n` and one fold. A file may also have no
header: then it is one fold of any number of lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench.atomic import write_text
from ghbench.data.image_files import ImageFiles
from ghbench.data.lfw_layout import picture_files
from ghbench.data.pair_list import PairList
from ghbench.data.spelling import nfc
from ghbench.dataset import DatasetCard
from ghbench.errors import DataError, MissingError
from ghbench.files import exists, read_text, user_path

Picture = tuple[str, int]
_DIGITS = 18
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a pairs file that is not empty."""

    path: Path
    number: int
    columns: tuple[str, ...]

    def error(self, message: str) -> DataError:
        return DataError(f"{self.path}, line {self.number}: {message}")

    def integer(self, column: int, meaning: str) -> int:
        text = self.columns[column]
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) > 0):
            raise self.error(f"{meaning} is {text[:40]!r}; expected a whole number from 1, of {_DIGITS} digits at most")
        return int(text)

    def pair(self) -> tuple[Picture, Picture]:
        """The two images of a pair line."""
        if len(self.columns) == 3:
            name = self.columns[0]
            return (name, self.integer(1, "image number")), (name, self.integer(2, "image number"))
        if len(self.columns) != 4:
            raise self.error(
                f"{len(self.columns)} columns; expected 3 (name i j) for a matched pair "
                "or 4 (name1 i name2 j) for a mismatched one"
            )
        left, right = self.columns[0], self.columns[2]
        if left == right:
            raise self.error(f"a mismatched pair names {left!r} twice; expected two different people")
        return (left, self.integer(1, "image number")), (right, self.integer(3, "image number"))


def read_pairs(path: Path) -> PairList:
    """Read a pairs file in LFW's format.

    Args:
        path: The file.

    Returns:
        Its pairs, in its order, by name and number.

    Raises:
        MissingError: There is no such file.
        DataError: A line or a count that does not follow the format, an image paired with itself, or a pair that stands
            there twice, in either order; the message names file, line and expectation.
    """
    path = user_path(path)
    lines = _lines(path)
    if not lines:
        raise DataError(f"{path} is empty; expected a header `folds n` and pairs")
    if len(lines[0].columns) <= 2:
        header, lines = lines[0], lines[1:]
        folds = header.integer(0, "number of folds") if len(header.columns) == 2 else 1
        count = header.integer(len(header.columns) - 1, "number of pairs a class")
        _check_counts(lines, header, folds, count)
        fold = np.repeat(np.arange(folds, dtype=np.int64), 2 * count)
    else:
        fold = np.zeros(len(lines), dtype=np.int64)
    pairs = [line.pair() for line in lines]
    found = pair_list(pairs, fold.tolist(), source=str(path))
    found = replace(found, lines=np.array([line.number for line in lines], dtype=np.int64))
    _check_different(found)
    return found


def pair_list(pairs: Sequence[tuple[Picture, Picture]], fold: Sequence[int], source: str) -> PairList:
    """Make a list of pairs from named images.

    Args:
        pairs: Left and right image of each pair as (person, number).
        fold: Fold of each pair, counted from 0.
        source: What messages call the list.

    Returns:
        The pairs, not resolved.
    """
    people = tuple(sorted({name for pair in pairs for name, _ in pair}))
    index = {name: position for position, name in enumerate(people)}
    pictures = [[(index[name], number) for name, number in pair] for pair in pairs]
    return PairList(
        people, np.array(pictures, dtype=np.int64).reshape(-1, 2, 2), np.array(fold, dtype=np.int64), source
    )


def write_pairs(path: Path, pairs: PairList) -> None:
    """Write pairs in LFW's official format, atomically.

    Args:
        path: The file to write.
        pairs: In each fold as many matched as mismatched pairs, the matched ones first, equally many in all folds.

    Raises:
        DataError: The pairs are not balanced like that, so that the format cannot hold them.
    """
    folds = int(pairs.fold.max()) + 1 if len(pairs) else 0
    count, rest = divmod(len(pairs), max(2 * folds, 1))
    expected = np.tile(np.repeat([True, False], count), folds)
    in_order = np.array_equal(pairs.fold, np.repeat(np.arange(folds), 2 * count))
    if not len(pairs) or rest or not in_order or not np.array_equal(pairs.same, expected):
        raise DataError(
            f"pairs of {pairs.source} do not fit the format; expected n matched, then n mismatched pairs in every fold"
        )
    rows = [f"{folds}\t{count}"]
    for (left, i), (right, j) in pairs.pictures.tolist():
        columns = (pairs.people[left], i, j) if left == right else (pairs.people[left], i, pairs.people[right], j)
        rows.append("\t".join(map(str, columns)))
    write_text(path, "\n".join(rows) + "\n")


class PairImages(ImageFiles):
    """The images that a pairs file names: any file in LFW's pair format, images in LFW's folder layout.

    Rows are the images that the file mentions, sorted by person and number; `pairs` holds the resolved pairs.

    Args:
        path: The pairs file.
        images: Folder with `Person_Name/Person_Name_0001.jpg`, any kind of image.

    Raises:
        MissingError: The file or the folder does not exist.
        DataError: The file does not follow the format, or names an image that is not there.
    """

    def __init__(self, path: Path, images: Path) -> None:
        files = picture_files(user_path(images).absolute())
        keys = list(files)
        located = read_pairs(path).locate({key: row for row, key in enumerate(keys)})
        assert located.rows is not None
        used = np.unique(located.rows)
        self.pairs = replace(located, rows=np.searchsorted(used, located.rows).astype(np.int64))
        super().__init__(_card(path), [files[keys[row]] for row in used.tolist()])


def _lines(path: Path) -> list[_Line]:
    if not exists(path):
        raise MissingError(f"{path} does not exist; expected a pairs file in LFW's format")
    text = nfc(read_text(path, encoding="utf-8-sig"))
    # Names may hold spaces where tabs separate the columns.
    return [
        _Line(path, number, tuple(line.strip().split("\t") if "\t" in line else line.split()))
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip()
    ]


def _check_different(pairs: PairList) -> None:
    """Check that every pair is of two images, and that no pair stands there again, its images swapped or not."""
    assert pairs.lines is not None
    _, image = np.unique(pairs.pictures.reshape(-1, 2), axis=0, return_inverse=True)
    couple = np.sort(image.reshape(-1, 2), axis=1)
    alone = np.flatnonzero(couple[:, 0] == couple[:, 1])
    if len(alone):
        person, number = pairs.pictures[alone[0], 0]
        raise DataError(
            f"{pairs.source}, {_line_list(pairs.lines[alone])}: image {number} of {pairs.people[person]!r} is paired "
            "with itself; expected two images"
        )
    _, first, which = np.unique(couple, axis=0, return_index=True, return_inverse=True)
    original = first[which.reshape(-1)]
    again = np.flatnonzero(original != np.arange(len(pairs)))
    if len(again):
        raise DataError(
            f"{pairs.source}, {_line_list(pairs.lines[again])}: the same pair as in "
            f"{_line_list(pairs.lines[original[again]])}; expected each pair once, in either order"
        )


def _line_list(lines: NDArray[np.int64]) -> str:
    shown = ", ".join(map(str, lines[:_SHOWN]))
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return f"line{'s' if len(lines) > 1 else ''} {shown}{more}"


def _check_counts(lines: Sequence[_Line], header: _Line, folds: int, count: int) -> None:
    """Check that every fold holds `count` matched lines and then `count` mismatched ones."""
    for position, line in enumerate(lines):
        fold, place = divmod(position, 2 * count)
        if fold == folds:
            raise line.error(f"a line too many; expected {folds} x 2 x {count} pairs by the header")
        line.pair()
        matched = len(line.columns) == 3
        if matched != (place < count):
            kind, before = ("matched", place) if place < count else ("mismatched", place - count)
            raise line.error(f"fold {fold + 1} has {before} {kind} pairs before this line; expected {count}")
    if len(lines) != folds * 2 * count:
        fold, place = divmod(len(lines), 2 * count)
        last = lines[-1] if lines else header
        raise last.error(
            f"the file ends after {place} pairs of fold {fold + 1}; expected {folds} folds of {count} matched and "
            f"{count} mismatched pairs"
        )


def _card(path: Path) -> DatasetCard:
    return DatasetCard(
        name="pairs",
        title=f"images named by {path.name}",
        licence="not stated; images of the user's own folder",
        citation="",
        source="a folder on this machine",
        named=False,
        by_person=True,
    )
