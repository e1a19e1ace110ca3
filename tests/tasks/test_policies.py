"""How levels become one answer, and that what is learned is never learned on the fold that is judged."""

import numpy as np
import pytest
from ghbench_tasks.verification.policies import fold_calibrated, vote

LEARNING = ["vote-z", "fuse", "best"]


@pytest.mark.parametrize("policy", ["best", "fuse", "concat"])
def test_a_perfect_level_among_noise_carries_the_answer(verify, crowd, policy):
    assert verify(crowd.pairs, crowd.labels, crowd.levels, policy=policy).scores["accuracy"].value > 0.99


@pytest.mark.parametrize("policy", ["concat", "vote", *LEARNING])
def test_with_one_level_all_policies_are_the_same(verify, crowd, policy):
    levels = {"noise": crowd.levels["noise"]}
    several = verify(crowd.pairs, crowd.labels, levels, policy=policy)
    np.testing.assert_array_equal(
        several.records["accepted"], verify(crowd.pairs, crowd.labels, levels).records["accepted"]
    )


def test_vote_takes_the_largest_similarity_literally_and_vote_z_in_units_of_impostors():
    # Level one says -9 or -5, level two -1 or 0: literally, level two alone speaks.
    levels = np.array([[-5.0, -9.0, -7.0, -9.0, -7.0], [-1.0, -1.0, -0.0, 0.0, -1.0]])
    assert vote(levels).tolist() == [-1.0, -1.0, 0.0, 0.0, -1.0]
    # Of the training impostors (pairs 1 to 4) level one has mean -8, deviation 1; level two -0.5 and 0.5.
    levels = np.hstack([levels, [[-8.0], [-0.5]]])
    same, fold = np.array([False, False, False, False, False, True]), np.array([0, 1, 1, 1, 1, 1])
    assert fold_calibrated("vote-z", levels, same, fold)[0].tolist() == [3.0, -1.0, 1.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("policy", LEARNING)
def test_nothing_is_learned_from_the_fold_that_is_judged(policy):
    rng = np.random.default_rng(0)
    same, fold = rng.random(90) < 0.4, np.arange(90) % 3
    levels = rng.normal(size=(3, 90)) + same * np.array([[0.3], [1.0], [0.6]])
    for k in range(3):
        test = fold == k
        other_levels, other_same = levels.copy(), same.copy()
        other_levels[:, test] = rng.normal(size=(3, test.sum())) * 100
        other_same[test] = ~same[test]
        before = fold_calibrated(policy, levels, same, fold)
        after = fold_calibrated(policy, other_levels, other_same, fold)
        np.testing.assert_array_equal(before[k][~test], after[k][~test])
        # The folds that do learn from it move, so the comparison can see something.
        assert not np.allclose(before[(k + 1) % 3][~test], after[(k + 1) % 3][~test])


@pytest.mark.parametrize("policy", LEARNING)
def test_the_labels_of_a_fold_do_not_change_its_own_decisions(verify, crowd, policy):
    levels = {name: values + 6 * np.random.default_rng(1).normal(size=values.shape)
              for name, values in crowd.levels.items()}  # fmt: skip
    first = verify(crowd.pairs, crowd.labels, levels, policy=policy).records
    fold, same = crowd.pairs.draws[0].fold, crowd.pairs.same.copy()
    same[fold == 1] = ~same[fold == 1]
    second = verify(type(crowd.pairs)(crowd.pairs.left, crowd.pairs.right, same, crowd.pairs.draws), crowd.labels,
                    levels, policy=policy).records  # fmt: skip
    for column in ("accepted", "similarity"):
        np.testing.assert_array_equal(first[column][fold == 1], second[column][fold == 1])
    assert (first["similarity"][fold != 1] != second["similarity"][fold != 1]).any()


def test_a_level_that_says_nothing_does_no_harm(verify, crowd):
    levels = {"perfect": crowd.levels["perfect"], "constant": np.zeros((48, 2))}
    for policy in LEARNING:
        value = verify(crowd.pairs, crowd.labels, levels, policy=policy).scores["accuracy"].value
        assert value > (0.99 if policy != "vote-z" else 0.6)
