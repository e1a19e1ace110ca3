"""LFW's `people.txt`: which people belong to which of the ten folds of view 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench.data.spelling import nfc
from ghbench.errors import DataError
from ghbench.files import read_text


def read_people(path: Path) -> dict[str, int]:
    """Read a people file: the number of folds; for each fold a count, then as many lines `name<TAB>pictures`.

    Args:
        path: The file.

    Returns:
        Fold of each person, counted from 0.

    Raises:
        DataError: A count or a line that does not follow the format; the message names file, line and expectation.
    """
    lines = read_text(path, encoding="utf-8-sig").splitlines()
    folds: dict[str, int] = {}
    position = 1
    for fold in range(_count(path, lines, 0, "number of folds")):
        count = _count(path, lines, position, f"number of people in fold {fold + 1}")
        for line in range(position + 1, position + 1 + count):
            columns = lines[line].split("\t") if line < len(lines) else []
            if len(columns) != 2:
                raise DataError(f"{path}, line {line + 1}: expected `name<TAB>pictures`, one of {count} in the fold")
            name = nfc(columns[0])
            if name in folds:
                raise DataError(f"{path}, line {line + 1}: {name!r} stands twice; expected each person in one fold")
            folds[name] = fold
        position += 1 + count
    if any(line.strip() for line in lines[position:]):
        raise DataError(f"{path}, line {position + 1}: a line too many; expected the end of the last fold")
    return folds


def fold_splits(folds: Mapping[str, int], people: Sequence[str | None]) -> dict[str, NDArray[np.int64]]:
    """Rows of each fold.

    Args:
        folds: Fold of each person, counted from 0.
        people: Person of each row; people without a fold are in no split.

    Returns:
        Rows by `fold-1`, `fold-2`, ...
    """
    fold = np.array([-1 if person is None else folds.get(nfc(person), -1) for person in people])
    return {
        f"fold-{number + 1}": np.flatnonzero(fold == number).astype(np.int64) for number in sorted(set(folds.values()))
    }


def _count(path: Path, lines: Sequence[str], line: int, meaning: str) -> int:
    text = lines[line].strip() if line < len(lines) else ""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise DataError(f"{path}, line {line + 1}: expected the {meaning}, got {text!r}")
    return int(text)
