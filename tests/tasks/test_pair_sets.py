"""Which pairs are decided, in which folds, and what is left of them with the first images only."""

import numpy as np
import pytest
from ghbench_tasks.verification.pair_sets import every_pair, identity_disjoint_draws, one_draw

from ghbench.errors import DataError

LABELS = np.repeat(np.arange(4), 2)  # rows 0,1 of person 0; 2,3 of person 1; ...


def test_every_pair_without_folds():
    pairs = every_pair(LABELS)
    assert (len(pairs.left), int(pairs.same.sum()), pairs.draws) == (28, 4, ())


def test_draws_hold_the_pairs_within_their_folds_and_the_union_holds_nothing_else():
    together = [np.array([[0, 1], [2, 3]]), np.array([[0, 2], [1, 3]])]
    pairs = identity_disjoint_draws(LABELS, together)
    # 4 matched pairs in both draws; 4 mismatched pairs a couple, 4 couples in all.
    assert (int(pairs.same.sum()), int((~pairs.same).sum())) == (4, 16)
    for draw, division in zip(pairs.draws, together, strict=True):
        assert len(draw.pairs) == 4 + 2 * 4
        for person in (LABELS[pairs.left[draw.pairs]], LABELS[pairs.right[draw.pairs]]):
            assert all(who in division[fold] for who, fold in zip(person, draw.fold, strict=True))


def test_a_limit_keeps_whole_folds_with_new_numbers():
    left, right = np.array([0, 0, 2, 2, 4, 4]), np.array([1, 2, 3, 4, 5, 6])
    pairs = one_draw(left, right, np.array([True, False] * 3), np.array([0, 0, 1, 1, 2, 2]))
    assert pairs.among(8) is pairs
    # Without row 6 the third fold has no mismatched pair.
    short = pairs.among(6)
    assert short.draws[0].fold.tolist() == [0, 0, 1, 1]
    assert short.left[short.draws[0].pairs].tolist() == [0, 0, 2, 2]
    with pytest.raises(DataError, match="hold no two folds"):
        pairs.among(4)


def test_a_limit_that_leaves_one_kind_of_pair_is_refused():
    with pytest.raises(DataError, match="first 2 images hold no matched and mismatched pairs"):
        every_pair(LABELS).among(2)
    with pytest.raises(DataError, match="first 1 images"):
        every_pair(LABELS).among(1)


@pytest.mark.parametrize(
    ("same", "fold", "message"),
    [
        ([True, True], [0, 1], "no mismatched pairs"),
        ([False, False], [0, 1], "no matched pairs"),
        ([True, False], [0, 0], "all pairs are in one fold"),
        ([True, False, True], [0, 0, 1], "beside fold 1, .* one kind of pair only"),
    ],
)
def test_pairs_that_no_threshold_can_be_chosen_for_are_refused(same, fold, message):
    rows = np.arange(len(same))
    with pytest.raises(DataError, match=message):
        one_draw(rows, rows + 1, np.array(same), np.array(fold)).check()


def test_pairs_without_folds_need_both_kinds_only():
    every_pair(LABELS).check()
    with pytest.raises(DataError, match="no mismatched pairs"):
        every_pair(np.zeros(4, dtype=np.int64)).check()
