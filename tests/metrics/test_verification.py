"""Verification metrics against golden arrays, scikit-learn and cases that can be worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from ghbench.errors import DataError
from ghbench.metrics import verification as v

GOLDEN = Path(__file__).parents[1] / "golden" / "lfw_verif.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="module")
def pairs(golden):
    left = np.arange(0, 12000, 2)
    return left, left + 1, golden["labels"].astype(bool), golden["folds"].astype(np.int64)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def per_fold(accepted, same, fold):
    return np.array([np.mean(accepted[fold == k] == same[fold == k]) for k in range(10)])


@pytest.mark.parametrize("tag", ["euclid_l2norm", "cosine"])
def test_accuracy_with_exact_thresholds_matches_the_reference_per_fold(golden, pairs, tag):
    _, _, same, fold = pairs
    accepted = v.fold_decisions(-golden[f"{tag}/distance"].astype(np.float64), same, fold).accepted
    np.testing.assert_allclose(
        per_fold(accepted, same, fold), golden[f"{tag}/acc_exact_threshold_per_fold"], atol=1e-12
    )


@pytest.mark.parametrize(("step", "name"), [(0.01, "facenet_acc_per_fold"), (0.001, "acc_grid0.001_per_fold")])
@pytest.mark.parametrize("tag", ["euclid_l2norm", "cosine"])
def test_accuracy_on_the_published_grids_matches_the_reference_per_fold(golden, pairs, tag, step, name):
    _, _, same, fold = pairs
    grid = -np.arange(0, 4, step)
    accepted = v.fold_decisions(-golden[f"{tag}/distance"].astype(np.float64), same, fold, grid).accepted
    np.testing.assert_allclose(per_fold(accepted, same, fold), golden[f"{tag}/{name}"], atol=1e-12)


def test_similarities_calibrated_without_the_fold_match_the_mean_subtracting_reference(golden, pairs):
    left, right, same, fold = pairs
    vectors = unit(golden["emb_raw"].astype(np.float64))
    by_fold = []
    for k in range(10):
        training = np.concatenate([left[fold != k], right[fold != k]])
        cosine = v.pair_similarity(vectors - vectors[training].mean(axis=0), left, right)
        by_fold.append(-np.arccos(cosine) / np.pi)
    accepted = v.fold_decisions(np.array(by_fold), same, fold).accepted
    expected = golden["cosine_submean/acc_exact_threshold_per_fold"]
    np.testing.assert_allclose(per_fold(accepted, same, fold), expected, atol=1e-12)


def test_similarities_match_the_reference_distances(golden, pairs):
    left, right, _, _ = pairs
    embeddings = golden["emb_raw"]
    cosine = v.pair_similarity(embeddings, left, right, "cosine")
    np.testing.assert_allclose(np.arccos(cosine) / np.pi, golden["cosine/distance"], atol=2e-6)
    l2 = v.pair_similarity(unit(embeddings), left, right, "l2")
    np.testing.assert_allclose(l2**2, golden["euclid_l2norm/distance"], atol=2e-6)


@pytest.mark.parametrize("tag", ["euclid_l2norm", "cosine"])
def test_roc_figures_match_scikit_learn(golden, pairs, tag):
    _, _, same, _ = pairs
    curve = v.roc(-golden[f"{tag}/distance"].astype(np.float64), same)
    assert v.auc(curve) == pytest.approx(golden[f"{tag}/sk_auc"][0], abs=1e-6)
    assert v.eer(curve) == pytest.approx(golden[f"{tag}/sk_eer_interp"][0], abs=5e-4)
    for far in ("0.1", "0.01", "0.001"):
        assert v.tar_at_far(curve, float(far)) == pytest.approx(golden[f"{tag}/sk_tar_at_far_le_{far}"][0], abs=1e-12)


@pytest.mark.parametrize("far", ["1e-2", "1e-3"])
def test_tar_at_a_far_chosen_on_the_other_folds_matches_the_reference(golden, pairs, far):
    _, _, same, fold = pairs
    rates = v.cross_validated_tar(-golden["euclid_l2norm/distance"].astype(np.float64), same, fold, float(far))
    low, high = sorted(golden[f"euclid_l2norm/facenet_val_std_far_at{far}{end}"][0] for end in ("", "_lastdup"))
    assert low - 0.01 <= rates.mean() <= high + 0.01


def test_fold_mean_and_standard_error_follow_the_lfw_convention(golden):
    accuracies = golden["cosine/facenet_acc_per_fold"]
    mean, error = v.fold_mean_and_error(accuracies)
    assert mean == pytest.approx(golden["cosine/facenet_acc_mean_std"][0])
    assert error == pytest.approx(golden["cosine/facenet_acc_mean_std"][1] / np.sqrt(9))


def test_two_folds_worked_out_by_hand():
    similarity = np.array([0.9, 0.3, 0.8, 0.5])
    same = np.array([True, False, True, False])
    fold = np.array([0, 0, 1, 1])
    decisions = v.fold_decisions(similarity, same, fold)
    # Fold 0 is judged at (0.8 + 0.5) / 2, fold 1 at (0.9 + 0.3) / 2.
    np.testing.assert_allclose(decisions.thresholds, [0.65, 0.6])
    assert decisions.accepted.tolist() == [True, False, True, False]


def test_of_several_best_thresholds_the_strictest_is_taken():
    descending = np.array([0.9, 0.8, 0.7, 0.6])
    same = np.array([True, False, True, False])
    assert v.best_threshold(descending, same) == pytest.approx(0.85)


def test_equal_similarities_are_never_separated():
    assert v.best_threshold(np.array([0.5, 0.5, 0.1]), np.array([True, False, False])) == pytest.approx(0.3)


def test_a_fold_without_matched_pairs_elsewhere_is_refused():
    with pytest.raises(DataError, match="both matched and mismatched"):
        v.fold_decisions(np.array([0.1, 0.2]), np.array([True, False]), np.array([0, 1]))


def test_balanced_accuracy_weighs_classes_equally():
    accepted = np.array([True, True, True, False, True])
    same = np.array([True, True, True, True, False])
    assert v.balanced_accuracy(accepted, same) == pytest.approx((0.75 + 0.0) / 2)
    weight = np.array([1.0, 1.0, 1.0, 0.0, 1.0])
    assert v.balanced_accuracy(accepted, same, weight=weight) == pytest.approx(0.5)
    assert np.isnan(v.balanced_accuracy(accepted[:4], same[:4]))


def test_metrics_without_impostors_are_not_a_number():
    curve = v.roc(np.array([0.1, 0.2]), np.array([True, True]))
    assert np.isnan(v.auc(curve))
    assert np.isnan(v.eer(curve))
    assert np.isnan(v.tar_at_far(curve, 0.1))


scored_pairs = st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(0, 3)), min_size=4, max_size=60).filter(
    lambda rows: {True, False} <= {same for _, same, weight in rows if weight}
)


@given(scored_pairs)
def test_weighted_roc_equals_scikit_learn_and_repetition(rows):
    similarity, same, weight = (np.array(column) for column in zip(*rows, strict=True))
    curve = v.roc(similarity.astype(float), same, weight.astype(float))
    assert v.auc(curve) == pytest.approx(roc_auc_score(same, similarity, sample_weight=weight))
    repeated = v.roc(np.repeat(similarity, weight).astype(float), np.repeat(same, weight))
    assert v.eer(curve) == pytest.approx(v.eer(repeated))
    for limit in (0.1, 0.5):
        assert v.tar_at_far(curve, limit) == pytest.approx(v.tar_at_far(repeated, limit))


@given(scored_pairs)
def test_eer_lies_on_the_curve_where_both_errors_are_equal(rows):
    similarity, same, _ = (np.array(column) for column in zip(*rows, strict=True))
    if same.all() or not same.any():
        return
    far, tar, _ = roc_curve(same, similarity, drop_intermediate=False)
    value = v.eer(v.roc(similarity.astype(float), same))
    start, step = np.stack([far, tar], 1)[:-1], np.stack([np.diff(far), np.diff(tar)], 1)
    along = np.clip(((value, 1 - value) - start) @ step.T / (step**2).sum(1), 0, 1).diagonal()
    distance = np.linalg.norm(start + along[:, None] * step - (value, 1 - value), axis=1)
    assert distance.min() < 1e-9


@pytest.mark.parametrize("kind", ["cosine", "l2"])
def test_similarity_is_the_same_by_matrix_and_by_chunks(kind, monkeypatch):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 5)).astype(np.float32)
    left, right = np.triu_indices(30, 1)
    dense = v.pair_similarity(features, left, right, kind)
    monkeypatch.setattr(v, "_CHUNK_NUMBERS", 50)
    few = slice(0, 40)
    np.testing.assert_allclose(v.pair_similarity(features, left[few], right[few], kind), dense[few], atol=1e-12)


@pytest.mark.parametrize("kind", ["cosine", "l2"])
@pytest.mark.parametrize("offset", [0, 2**12, 2**20])
def test_a_large_common_part_changes_no_order(kind, offset):
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(20), 2)
    detail = (rng.normal(size=(20, 64))[people] * 9 + rng.normal(size=(40, 64))).round()
    detail -= detail.mean(axis=1, keepdims=True).round()
    features = (offset + detail / (1 if offset > 2**12 else 64)).astype(np.float32)  # exact in float32
    left, right = np.triu_indices(40, 1)
    same = people[left] == people[right]
    similarity = v.pair_similarity(features, left, right, kind)
    assert v.auc(v.roc(similarity, same)) == 1.0
    assert v.tied_share(similarity, same) == 0


def test_similarities_that_are_equal_are_ties_whatever_the_order_of_rows():
    rng = np.random.default_rng(0)
    codes = np.sign(rng.normal(size=(60, 24))).astype(np.float32)
    left, right = np.triu_indices(60, 1)
    exact = (codes[left] * codes[right]).sum(axis=1)  # whole numbers
    order = rng.permutation(60)
    for similarity in (
        v.pair_similarity(codes, left, right),
        v.pair_similarity(codes[order], np.argsort(order)[left], np.argsort(order)[right]),
        v.pair_similarity(codes, left, right, "l2"),
        v.pair_similarity(codes * 3 + 100, left, right, "l2"),
    ):
        assert len(np.unique(similarity)) == len(np.unique(exact))
        assert np.array_equal(np.unique(similarity, return_inverse=True)[1], np.unique(exact, return_inverse=True)[1])


def test_the_share_of_ties_is_counted_between_the_classes():
    similarity, same = np.array([3.0, 2.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False, False])
    assert v.tied_share(similarity, same) == pytest.approx(2 / 6)
    assert v.tied_share(np.ones(5), same) == 1
    assert v.tied_share(similarity, same, np.array([1.0, 0.0, 1.0, 1.0, 1.0])) == 0


def test_zero_vectors_have_cosine_zero():
    features = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 4.0]], dtype=np.float32)
    found = v.pair_similarity(features, np.array([0, 0, 2]), np.array([1, 2, 2]))
    np.testing.assert_allclose(found, [0, 0, 1], atol=1e-15)


def test_couples_of_people_are_counted_once_in_either_order():
    first, second = np.array([0, 1, 1, 2, 3, 3]), np.array([1, 0, 2, 1, 3, 0])
    same = first == second
    assert v.impostor_couples(first, second, same) == 3  # 0-1, 1-2 and 0-3
    assert v.impostor_couples(first[same], second[same], same[same]) == 0
    left, right = np.triu_indices(40, 1)
    assert v.impostor_couples(left, right, np.zeros(780, dtype=bool)) == 780


def test_a_false_accept_rate_needs_ten_couples_of_people_behind_it():
    assert v.reportable_fars([1e-1, 1e-2, 1e-3], 780) == [1e-1]
    assert v.reportable_fars([1e-1, 1e-2, 1e-3], 1000) == [1e-1, 1e-2]
    assert v.reportable_fars([1e-1], 99) == []
    assert v.reportable_fars([1e-4], 100_000) == [1e-4]
