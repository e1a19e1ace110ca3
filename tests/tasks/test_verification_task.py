"""The whole verification task on cases whose answers are worked out by hand."""

import io

import numpy as np
import pandas as pd
import pytest
from ghbench_tasks.verification.pair_sets import every_pair, one_draw

from ghbench.errors import UsageError

# Three folds of one matched and one mismatched pair of one-dimensional features at 0 and d:
#   fold 0: matched d = 1,   mismatched d = 5
#   fold 1: matched d = 1.5, mismatched d = 6
#   fold 2: matched d = 4,   mismatched d = 3
LABELS = [0, 0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8]
DISTANCES = [1.0, 5.0, 1.5, 6.0, 4.0, 3.0]
FEATURES = np.array([[0.0, d] for d in DISTANCES]).reshape(12, 1)
SAME = np.array([True, False] * 3)
PAIRS = one_draw(np.arange(0, 12, 2), np.arange(1, 12, 2), SAME, np.repeat([0, 1, 2], 2))


def test_the_protocol_gives_what_paper_gives(verify):
    done = verify(PAIRS, LABELS, {"x": FEATURES})
    # Fold 0 is decided between -1.5 and -3, fold 1 between -1 and -3: both right. Fold 2 is decided between -1.5 and
    # -5, at -3.25: its matched pair (-4) is rejected, its mismatched one (-3) accepted.
    assert done.records["accepted"].tolist() == [1, 0, 1, 0, 0, 1]
    assert done.records["similarity"].tolist() == [-d for d in DISTANCES]
    assert done.records["fold"].tolist() == [0, 0, 1, 1, 2, 2]
    assert done.scores["accuracy"].value == pytest.approx(2 / 3)
    convention = done.scores["accuracy[LFW convention]"]
    # Folds 1, 1, 0: deviation sqrt(1/3) over sqrt(3) folds.
    assert (convention.value, convention.standard_error) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    # Of the nine (matched, mismatched) couples only (-4, -3) is in the wrong order.
    assert done.scores["auc"].value == pytest.approx(8 / 9)
    # Accepting from -3 upward: one of three matched pairs rejected, one of three mismatched accepted.
    assert done.scores["eer"].value == pytest.approx(1 / 3)
    assert not {metric.name: metric for metric in done.task.metrics}["eer"].higher_is_better
    # Three impostors cannot carry any false accept rate.
    assert not any(metric.startswith("tar") for metric in done.scores)


def test_similarities_are_kept_as_float32_unless_that_would_order_pairs_anew(verify):
    rng = np.random.default_rng(0)
    usual = verify(PAIRS, LABELS, {"x": rng.standard_normal((12, 4))}, similarity="cosine")
    kept = usual.records["similarity"].to_numpy()
    assert kept.dtype == np.float32
    assert not (kept.view(np.uint32) & 0xFF).any(), "sixteen significant bits"
    alike = verify(PAIRS, LABELS, {"x": 1e4 + rng.standard_normal((12, 4))}, similarity="cosine")
    assert alike.records["similarity"].dtype == np.float64
    assert alike.records["similarity"].nunique() == 6


def test_weights_count_records_and_classes_stay_balanced(verify):
    done = verify(PAIRS, LABELS, {"x": FEATURES})
    weight = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 0.0])
    scores = {score.metric: score.value for score in done.task.score(done.records, weight)}
    # Matched: 2 of 4 accepted; mismatched: 2 of 2 rejected.
    assert scores["accuracy"] == pytest.approx(0.75)


def test_features_are_centred_by_the_training_mean_and_by_nothing_else(verify):
    # Cosine of numbers is the product of their signs: without the mean all pairs are alike.
    features = np.array([1.0, 2.0, 1.0, 4.0, 4.0, 5.0, 2.0, 5.0, 1.0, 1.5, 1.0, 5.0])[:, None]
    plain = verify(PAIRS, LABELS, {"x": features}, similarity="cosine")
    assert plain.records["similarity"].tolist() == [1.0] * 6
    assert plain.scores["accuracy"].value == pytest.approx(0.5)
    centred = verify(PAIRS, LABELS, {"x": features}, similarity="cosine", mean={"x": np.array([3.0], np.float32)})
    assert centred.records["similarity"].tolist() == [1.0, -1.0] * 3
    assert centred.scores["accuracy"].value == 1.0


def test_flip_averages_both_views_under_names_of_its_own(verify):
    far_off = FEATURES + 100 * np.arange(12)[:, None]
    done = verify(PAIRS, LABELS, {"x": far_off}, flipped={"x": 2 * FEATURES - far_off}, flip=True)
    assert done.records["similarity"].tolist() == pytest.approx([-d for d in DISTANCES], abs=1e-4)
    names = set(done.scores)
    assert names == {"accuracy-flip", "auc-flip", "eer-flip", "accuracy[LFW convention]-flip"}
    assert done.task.protocol()["views"] == ["plain", "flipped"]


def test_a_false_accept_rate_is_reported_where_ten_couples_of_people_can_make_it(verify):
    # 14 people with three images each: 819 mismatched pairs, but only 91 couples of people.
    labels = np.repeat(np.arange(14), 3)
    done = verify(every_pair(labels), labels, {"x": np.random.default_rng(0).normal(size=(42, 2))})
    assert set(done.scores) == {"auc", "eer"}
    labels = np.repeat(np.arange(15), 2)  # 105 couples
    done = verify(every_pair(labels), labels, {"x": np.random.default_rng(0).normal(size=(30, 2))})
    assert set(done.scores) == {"auc", "eer", "tar@far=1e-1"}


def test_without_folds_nothing_is_accepted_and_learning_policies_are_refused(verify, crowd):
    pairs = every_pair(crowd.labels)
    done = verify(pairs, crowd.labels, crowd.levels, policy="vote")
    assert set(done.records["accepted"]) == {-1}
    assert "accuracy" not in done.scores
    for levels in (crowd.levels, {"noise": crowd.levels["noise"]}):
        for policy in ("vote-z", "fuse", "best"):
            if len(levels) > 1:
                with pytest.raises(UsageError):
                    verify(pairs, crowd.labels, levels, policy=policy)


@pytest.mark.parametrize("policy", ["concat", "vote-z"])
def test_the_bootstrap_equals_one_weighted_score_a_draw_for_every_metric(verify, crowd, policy):
    levels = {name: values + 4 * np.random.default_rng(1).normal(size=values.shape)
              for name, values in crowd.levels.items()}  # fmt: skip
    done = verify(crowd.pairs, crowd.labels, levels, policy=policy)
    units = done.task.units(done.records)
    assert (units.kind, units.count) == ("people", 12)
    draws = np.random.default_rng(2).multinomial(12, np.full(12, 1 / 12), size=25).astype(float)
    draws = np.vstack([draws, np.ones(12), np.eye(12)[0] * 12])
    replicates = done.task.score_replicates(done.records, draws)
    assert set(replicates) == {(key, None) for key, score in done.scores.items() if score.standard_error is None}
    for row, draw in enumerate(draws):
        for score in done.task.score(done.records, units.weights(draw)):
            if score.standard_error is None:
                replicate = replicates[score.metric, score.level][row]
                assert replicate == pytest.approx(score.value, abs=1e-9, nan_ok=True), (score, row)


def test_asking_for_accuracy_alone_gives_the_same_replicates(verify, crowd):
    done = verify(crowd.pairs, crowd.labels, crowd.levels, policy="vote")
    draws = np.random.default_rng(2).multinomial(12, np.full(12, 1 / 12), size=9).astype(float)
    some = done.task.score_replicates(done.records, draws, ["accuracy"])
    np.testing.assert_array_equal(
        some["accuracy", None], done.task.score_replicates(done.records, draws)["accuracy", None]
    )


@pytest.mark.parametrize("policy", ["concat", "fuse"])
def test_scores_survive_parquet_and_leave_the_records_alone(verify, crowd, policy):
    done = verify(crowd.pairs, crowd.labels, crowd.levels, policy=policy)
    kept = done.records.copy(deep=True)
    content = io.BytesIO()
    done.records.to_parquet(content, index=False)
    again = pd.read_parquet(io.BytesIO(content.getvalue()))
    assert done.task.score(again) == done.task.score(done.records) == list(done.scores.values())
    pd.testing.assert_frame_equal(kept, done.records)


def test_the_order_of_records_does_not_matter(verify, crowd):
    done = verify(crowd.pairs, crowd.labels, crowd.levels, policy="vote")
    shuffled = done.records.sample(frac=1, random_state=0).reset_index(drop=True)
    again = {score.metric: score.value for score in done.task.score(shuffled)}
    for key, score in done.scores.items():
        assert again[key] == pytest.approx(score.value, abs=1e-12)


def test_the_order_of_images_does_not_matter(verify, crowd):
    new_row = np.random.default_rng(5).permutation(48)  # image i stands at row new_row[i]
    old_row = np.argsort(new_row)
    pairs = one_draw(new_row[crowd.pairs.left], new_row[crowd.pairs.right], crowd.pairs.same, crowd.pairs.draws[0].fold)
    moved = {name: values[old_row] for name, values in crowd.levels.items()}
    for policy in ("concat", "vote", "vote-z", "best", "fuse"):
        first = verify(crowd.pairs, crowd.labels, crowd.levels, policy=policy).scores
        second = verify(pairs, crowd.labels[old_row], moved, policy=policy).scores
        for key, score in first.items():
            assert second[key].value == pytest.approx(score.value, abs=1e-9)


def test_ties_that_matter_are_said(verify, crowd):
    tied = verify(crowd.pairs, crowd.labels, {"level": np.round(crowd.labels[:, None] / 6) + np.zeros((48, 1))})
    (note,) = tied.notes
    assert "pair tie: AUC could be" in note
    assert verify(crowd.pairs, crowd.labels, {"level": crowd.levels["perfect"]}).notes == ()
