"""Which pairs a verification task decides, and in which folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_array, digest_lines
from ghbench.errors import DataError

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FoldDraw:
    """One assignment of pairs to folds.

    Args:
        pairs: int64 [n] rows of the pair table that take part.
        fold: int64 [n] in 0..K-1.
    """

    pairs: Rows
    fold: Rows


@dataclass(frozen=True, slots=True)
class PairSet:
    """Pairs of dataset rows.

    Args:
        left: int64 [N] dataset row.
        right: int64 [N] dataset row.
        same: bool [N], one person or two.
        draws: Assignments to folds; none where thresholds are not chosen at all.
    """

    left: Rows
    right: Rows
    same: NDArray[np.bool_]
    draws: tuple[FoldDraw, ...]

    def digest(self) -> str:
        """sha256 over pairs and folds."""
        arrays = [self.left, self.right, self.same, *(part for draw in self.draws for part in (draw.pairs, draw.fold))]
        return digest_lines(digest_array(array) for array in arrays)

    def check(self) -> None:
        """Refuse pairs of which no verification can be judged, before anything is extracted.

        Raises:
            DataError: Only one kind of pair, or a fold whose threshold cannot be chosen on the others.
        """
        kinds = {True: "matched", False: "mismatched"}
        found = set(self.same.tolist())
        if len(found) < 2:
            lacking = " or ".join(kinds[kind] for kind in kinds if kind not in found)
            raise DataError(f"there are no {lacking} pairs; expected pairs of one person and pairs of two")
        for draw in self.draws:
            same, folds = self.same[draw.pairs], np.unique(draw.fold)
            if len(folds) < 2:
                raise DataError(
                    "all pairs are in one fold, so that a threshold could only be chosen on the pairs it judges",
                    fix="a pairs file of several folds: its first line is `folds n`, for instance `10 300`",
                )
            for fold in folds:
                if len(set(same[draw.fold != fold].tolist())) < 2:
                    raise DataError(
                        f"the folds beside fold {fold + 1}, where its threshold is chosen, hold one kind of pair only",
                        fix="add folds, or pairs of the other kind to them",
                    )

    def among(self, images: int) -> PairSet:
        """The pairs whose images are both among the first `images` rows; folds that lose a class are left out.

        Raises:
            DataError: What is left has only one kind of pair, or cannot choose a threshold on one part and apply it to
                another.
        """
        kept = (self.left < images) & (self.right < images)
        if kept.all():
            return self
        if len(np.unique(self.same[kept])) < 2:
            raise DataError(
                f"the first {images} images hold no matched and mismatched pairs of this task", fix="raise --limit"
            )
        place = np.cumsum(kept) - 1
        draws = []
        for draw in self.draws:
            inside = kept[draw.pairs]
            pairs, fold = draw.pairs[inside], draw.fold[inside]
            whole = [k for k in np.unique(fold) if len(set(self.same[pairs[fold == k]])) == 2]
            if len(whole) >= 2:
                chosen = np.isin(fold, whole)
                draws.append(FoldDraw(place[pairs[chosen]], np.searchsorted(whole, fold[chosen])))
        if self.draws and not draws:
            raise DataError(
                f"the first {images} images hold no two folds with matched and mismatched pairs", fix="raise --limit"
            )
        return PairSet(self.left[kept], self.right[kept], self.same[kept], tuple(draws))


def one_draw(left: Rows, right: Rows, same: NDArray[np.bool_], fold: Rows) -> PairSet:
    """Pairs with the folds that their file gives them."""
    return PairSet(left, right, same, (FoldDraw(np.arange(len(left)), fold),))


def every_pair(labels: Rows) -> PairSet:
    """All pairs of all images, without folds: thresholds are read off the impostors, never chosen."""
    left, right = np.triu_indices(len(labels), 1)
    return PairSet(left, right, labels[left] == labels[right], ())


def identity_disjoint_draws(labels: Rows, folds_of_people: list[NDArray[np.int64]]) -> PairSet:
    """All pairs within folds of people, for several divisions of the people into folds.

    Args:
        labels: int64 [M] person of each image.
        folds_of_people: One [K, n] array of people a division; no person is in two folds.

    Returns:
        The union of the pairs, and one draw a division.
    """
    everything = every_pair(labels)
    first, second = labels[everything.left], labels[everything.right]
    used = np.zeros(len(first), dtype=np.bool_)
    draws = []
    for division in folds_of_people:
        fold_of = np.full(labels.max() + 1, -1)
        for k, people in enumerate(division):
            fold_of[people] = k
        pairs = np.flatnonzero((fold_of[first] == fold_of[second]) & (fold_of[first] >= 0))
        draws.append(FoldDraw(pairs, fold_of[first[pairs]]))
        used[pairs] = True
    place = np.cumsum(used) - 1
    return PairSet(
        everything.left[used],
        everything.right[used],
        everything.same[used],
        tuple(FoldDraw(place[draw.pairs], draw.fold) for draw in draws),
    )
