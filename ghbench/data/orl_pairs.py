"""Verification pairs over the ORL faces: folds of four people that share nobody, all their pairs or a fixed sample.

People and pairs are drawn by sorting sha256 digests of their names and the seed, so no library's random stream can
ever change a draw.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ghbench.data.orl import PEOPLE, PICTURES
from ghbench.data.pair_files import Picture, pair_list
from ghbench.data.pair_list import PairList
from ghbench.digests import digest_bytes

FOLDS = 10
PEOPLE_A_FOLD = PEOPLE // FOLDS
MISMATCHED_A_COUPLE = 30
OFFICIAL_SEED = 0
"""Seed of the committed file `orl_pairs.txt`."""


def fold_people(seed: int) -> NDArray[np.int64]:
    """Divide the people into identity-disjoint folds.

    Args:
        seed: Any integer.

    Returns:
        int64 [10, 4] people counted from 0 (the labels of `orl`), ascending within a fold.
    """
    drawn = sorted(range(PEOPLE), key=lambda person: digest_bytes(f"orl people {seed} s{person + 1}".encode()))
    return np.sort(np.array(drawn, dtype=np.int64).reshape(FOLDS, PEOPLE_A_FOLD), axis=1)


def all_pairs_within(folds: NDArray[np.int64]) -> PairList:
    """Every pair of images whose people are in one fold: fold by fold the 180 matched, then the 600 mismatched.

    Args:
        folds: int64 [F, P] people of each fold, from `fold_people`.

    Returns:
        Pairs by name; 10 folds of 4 people give 1,800 matched and 6,000 mismatched pairs.
    """
    first, second = np.triu_indices(PICTURES, k=1)
    matched = np.stack([first, second], axis=1)
    mismatched = np.stack(np.meshgrid(range(PICTURES), range(PICTURES), indexing="ij"), axis=-1).reshape(-1, 2)
    blocks, fold = [], []
    for number, people in enumerate(folds.tolist()):
        couples = [(person, person, matched) for person in people]
        couples += [(left, right, mismatched) for left, right in combinations(people, 2)]
        for left, right, numbers in couples:
            block = np.empty((len(numbers), 2, 2), dtype=np.int64)
            block[:, 0, 0], block[:, 1, 0], block[..., 1] = left, right, numbers + 1
            blocks.append(block)
            fold.append(np.full(len(numbers), number, dtype=np.int64))
    people_names = tuple(f"s{person + 1}" for person in range(PEOPLE))
    return PairList(people_names, np.concatenate(blocks), np.concatenate(fold), source="orl pairs=all")


def official_pairs(seed: int = OFFICIAL_SEED) -> PairList:
    """The pairs of the committed file: in each fold all 180 matched pairs and 180 of the 600 mismatched ones.

    The mismatched pairs are balanced: 30 for each of the 6 couples of people in a fold.

    Args:
        seed: Seed of folds and pairs.

    Returns:
        3,600 pairs by name, in the order of LFW's format.
    """
    pairs: list[tuple[Picture, Picture]] = []
    numbers = range(1, PICTURES + 1)
    folds = fold_people(seed)
    for people in folds.tolist():
        names = [f"s{person + 1}" for person in people]
        pairs += [((name, i), (name, j)) for name in names for i, j in combinations(numbers, 2)]
        for left, right in combinations(names, 2):
            candidates = [((left, i), (right, j)) for i in numbers for j in numbers]
            drawn = sorted(candidates, key=lambda pair: digest_bytes(f"orl pair {seed} {pair}".encode()))
            pairs += sorted(drawn[:MISMATCHED_A_COUPLE])
    fold = np.repeat(np.arange(FOLDS), len(pairs) // FOLDS)
    return pair_list(pairs, fold.tolist(), source=f"orl pairs of seed {seed}")
