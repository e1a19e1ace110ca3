"""ORL pairs: identity-disjoint folds, balanced, and drawn the same on every machine for ever."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files

import numpy as np
import pytest

from ghbench.data.orl_pairs import all_pairs_within, fold_people, official_pairs
from ghbench.data.pair_files import read_pairs, write_pairs
from ghbench.dataset import labels


@pytest.fixture(scope="module")
def committed():
    return files("ghbench_tasks.verification") / "orl_pairs.txt"


def test_the_committed_file_is_what_the_function_makes(tmp_path, committed):
    write_pairs(tmp_path / "orl_pairs.txt", official_pairs())
    assert (tmp_path / "orl_pairs.txt").read_bytes() == committed.read_bytes()


@pytest.mark.parametrize("seed", [0, 1, 19])
def test_every_person_is_in_exactly_one_fold_of_four(seed):
    folds = fold_people(seed)
    assert folds.shape == (10, 4)
    assert sorted(folds.ravel().tolist()) == list(range(40))


def test_other_seeds_draw_other_folds():
    assert len({fold_people(seed).tobytes() for seed in range(20)}) == 20


def test_each_fold_has_all_its_matched_and_balanced_mismatched_pairs(committed, orl):
    pairs = read_pairs(committed).resolve(orl)
    folds, people = fold_people(0), labels(orl).values
    for fold in range(10):
        here = pairs.fold == fold
        assert set(people[pairs.left[here]]) == set(folds[fold])
        matched = here & pairs.same
        assert matched.sum() == 180
        couples = Counter(
            zip(people[pairs.left[here & ~pairs.same]], people[pairs.right[here & ~pairs.same]], strict=True)
        )
        assert sorted(couples.values()) == [30] * 6
    assert len({tuple(sorted(rows)) for rows in pairs.rows.tolist()}) == 3600


def test_all_pairs_within_folds_are_all_of_them_once(orl):
    pairs = all_pairs_within(fold_people(5)).resolve(orl)
    assert (int(pairs.same.sum()), int((~pairs.same).sum())) == (1800, 6000)
    assert len({tuple(sorted(rows)) for rows in pairs.rows.tolist()}) == 7800
    fold_of = np.empty(40, dtype=int)
    fold_of[fold_people(5)] = np.arange(10)[:, None]
    assert np.array_equal(fold_of[labels(orl).values[pairs.left]], pairs.fold)
    assert np.array_equal(fold_of[labels(orl).values[pairs.right]], pairs.fold)
    assert np.array_equal(labels(orl).values[pairs.left] == labels(orl).values[pairs.right], pairs.same)


def test_the_committed_pairs_are_among_all_pairs_of_their_folds(committed, orl):
    every = {tuple(rows) for rows in all_pairs_within(fold_people(0)).resolve(orl).rows.tolist()}
    assert {tuple(rows) for rows in read_pairs(committed).resolve(orl).rows.tolist()} <= every
