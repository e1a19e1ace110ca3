"""Disentanglement metrics against disentanglement_lib's numbers, and against what theory says of simple codes."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from ghbench.errors import DataError
from ghbench.metrics.disentanglement import importance, information, robustness, separation, unsupervised, voting

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "dlib_metrics.npz", allow_pickle=False)
TABLES = ("perfect", "rotated", "mixed")
TRAIN = GOLDEN["perm"][: int(GOLDEN["ntrain"][0])]
TEST = GOLDEN["perm"][int(GOLDEN["ntrain"][0]) :]
FACTORS = GOLDEN["factors"].astype(np.int64)
TEN = np.array(list(itertools.product(range(10), repeat=3)))
"""Three factors of ten values."""


def codes(table):
    return GOLDEN[f"{table}/codes"].astype(np.float64)


@pytest.mark.parametrize("table", TABLES)
def test_information_and_what_follows_from_it(table):
    known, factors = codes(table)[TRAIN], FACTORS[TRAIN]
    numbers = information.discretised(known)
    np.testing.assert_array_equal(numbers.T + 1, GOLDEN[f"{table}/disc_mus"])
    found = information.mutual_information(numbers, factors)
    np.testing.assert_allclose(found, GOLDEN[f"{table}/mi_matrix"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(information.entropies(factors), GOLDEN[f"{table}/factor_entropy"], atol=1e-6)
    assert information.mig(known, factors) == pytest.approx(GOLDEN[f"{table}/mig"][0], abs=1e-6)
    assert information.modularity(found) == pytest.approx(GOLDEN[f"{table}/modularity"][0], abs=1e-6)


@pytest.mark.parametrize("table", TABLES)
def test_sap_and_explicitness(table):
    known, factors = codes(table)[TRAIN], FACTORS[TRAIN]
    correlations = separation.squared_correlations(known, factors)
    np.testing.assert_allclose(correlations, GOLDEN[f"{table}/sap_cont_matrix"], atol=1e-6)
    assert separation.sap_continuous(known, factors) == pytest.approx(GOLDEN[f"{table}/sap_cont"][0], abs=1e-6)
    test = codes(table)[TEST], FACTORS[TEST]
    assert separation.sap_discrete(known, factors, *test) == pytest.approx(
        GOLDEN[f"{table}/sap_disc_mean_std"][0], abs=0.01
    )
    assert separation.explicitness(known, factors, *test) == pytest.approx(
        GOLDEN[f"{table}/explicitness_train_test"][1], abs=0.01
    )


@pytest.mark.parametrize("table", TABLES)
def test_irs(table):
    known, factors = codes(table)[TRAIN], FACTORS[TRAIN]
    scores, reach = robustness.irs_matrix(known, factors)
    np.testing.assert_allclose(scores, GOLDEN[f"{table}/irs_matrix"], atol=1e-6)
    np.testing.assert_allclose(reach, GOLDEN[f"{table}/irs_max_dev"], atol=1e-6)
    assert robustness.irs(known, factors) == pytest.approx(GOLDEN[f"{table}/irs"][0], abs=1e-6)
    assert robustness.irs(known, factors, 1.0) == pytest.approx(GOLDEN[f"{table}/irs_q1.0"][0], abs=1e-6)


@pytest.mark.parametrize("table", TABLES)
def test_scores_without_factors(table):
    known = codes(table)[TRAIN]
    assert unsupervised.total_correlation(known) == pytest.approx(
        GOLDEN[f"{table}/unsup_gaussian_total_correlation"][0], abs=1e-6
    )
    for normalised, name in ((False, ""), (True, "_norm")):
        assert unsupervised.wasserstein_correlation(known, normalised=normalised) == pytest.approx(
            GOLDEN[f"{table}/unsup_gaussian_wasserstein_correlation{name}"][0], abs=1e-6
        )
    assert unsupervised.mean_information(known) == pytest.approx(
        GOLDEN[f"{table}/unsup_mutual_info_score"][0], abs=1e-6
    )


@pytest.mark.parametrize("table", TABLES)
def test_a_recorded_run_of_factor_vae_and_of_beta_vae(table):
    known, rows = codes(table), GOLDEN[f"{table}/fvae_rows"]
    train, _, _ = GOLDEN[f"{table}/fvae_ntrain_neval_bs"].tolist()
    fixed = GOLDEN[f"{table}/fvae_factor_index"].astype(np.int64)
    variances = known[GOLDEN[f"{table}/fvae_var_rows"]].var(axis=0, ddof=1)
    np.testing.assert_allclose(variances, GOLDEN[f"{table}/fvae_global_var"], rtol=1e-5)
    votes = voting.least_varying(known, rows, fixed, variances)
    # The program counts among the active codes, we among all.
    active = np.flatnonzero(GOLDEN[f"{table}/fvae_active"])
    np.testing.assert_array_equal(votes.code, active[GOLDEN[f"{table}/fvae_argmin"]])
    found = voting.vote_accuracy(votes, train, known.shape[1], FACTORS.shape[1])
    np.testing.assert_allclose(found, GOLDEN[f"{table}/fvae_train_eval_acc"], atol=1e-9)
    pairs, labels = GOLDEN[f"{table}/bvae_rows"], GOLDEN[f"{table}/bvae_labels"].astype(np.int64)
    points = np.abs(known[pairs[:, 0]] - known[pairs[:, 1]]).mean(axis=1)
    np.testing.assert_allclose(points, GOLDEN[f"{table}/bvae_points"], atol=1e-6)
    found = voting.shared_accuracy(points[:300], labels[:300], points[300:], labels[300:])
    np.testing.assert_allclose(found, GOLDEN[f"{table}/bvae_train_eval_acc_lib"], atol=0.01)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(("score", "name"), [(voting.factor_vae, "fvae"), (voting.beta_vae, "bvae")])
def test_free_runs_lie_where_the_programs_do(table, score, name):
    found = score(codes(table), FACTORS, train=1000, test=500)
    mean, spread = (GOLDEN[f"{table}/{name}_b64_train_eval_{what}"][1] for what in ("mean", "std"))
    assert found == pytest.approx(mean, abs=max(4 * spread, 0.03))


@pytest.mark.parametrize("table", TABLES)
def test_dci_of_the_programs_importances(table):
    weights = GOLDEN[f"{table}/dci_importance_seed0"]
    expected = GOLDEN[f"{table}/dci_D_C_infTrain_infTest_mean"]
    assert importance.disentanglement(weights) == pytest.approx(expected[0], abs=2e-3)
    assert importance.completeness(weights) == pytest.approx(expected[1], abs=2e-3)


def test_dci_with_boosted_trees():
    train, test = GOLDEN["dci_ntrain_ntest"].tolist()
    known, judged = TRAIN[:train], TEST[:test]
    found = importance.dci_boosted(codes("mixed")[known], FACTORS[known], codes("mixed")[judged], FACTORS[judged])
    expected = GOLDEN["mixed/dci_D_C_infTrain_infTest_mean"]
    np.testing.assert_allclose([found.disentanglement, found.completeness], expected[:2], atol=0.01)
    assert found.informativeness == pytest.approx(expected[3], abs=0.02)


@pytest.mark.parametrize("table", ["rotated", "mixed"])
def test_dci_with_lightgbm_lies_where_scikit_learns_trees_do(table):
    pytest.importorskip("lightgbm")
    train, test = GOLDEN["dci_ntrain_ntest"].tolist()
    known, judged = TRAIN[:train], TEST[:test]
    found = importance.dci_lgbm(codes(table)[known], FACTORS[known], codes(table)[judged], FACTORS[judged])
    expected = GOLDEN[f"{table}/dci_D_C_infTrain_infTest_mean"]
    np.testing.assert_allclose([found.disentanglement, found.completeness], expected[:2], atol=0.03)
    assert found.informativeness == pytest.approx(expected[3], abs=0.06)


@pytest.mark.parametrize(
    ("table", "disentangled", "complete"),
    [
        (np.eye(5), 1, 1), (np.vstack([np.eye(5), np.zeros((2, 5))]), 1, 1), (np.zeros((4, 5)), 0, 0),
        (np.vstack([np.eye(5)] * 2), 1, 0.698970), (np.hstack([np.eye(5)] * 2), 0.698970, 1),
        (np.array([[0.9, 0.1], [0.1, 0.9]]), 0.531004, 0.531004), (np.array([[3.0, 1], [0, 2]]), 0.459148, 0.540852),
        (np.ones((3, 4)), 0, 0),
    ],
)  # fmt: skip
def test_dci_by_hand(table, disentangled, complete):
    assert importance.disentanglement(table) == pytest.approx(disentangled, abs=1e-6)
    assert importance.completeness(table) == pytest.approx(complete, abs=1e-6)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (np.eye(4), 1), (np.array([[1, 0], [0, 1], [0, 0.0]]), 2 / 3), (np.zeros((3, 2)), 0),
        (np.hstack([np.eye(5)] * 2), 8 / 9), (np.array([[0.9, 0.1], [0.1, 0.9]]), 0.987654),
        (np.array([[3.0, 1], [0, 2]]), 0.944444), (np.ones((3, 3)), 0),
    ],
)  # fmt: skip
def test_modularity_by_hand(table, expected):
    assert information.modularity(table) == pytest.approx(expected, abs=1e-6)


def test_perfect_duplicated_constant_and_rotated_codes():
    perfect = TEN.astype(float)
    assert information.mig(perfect, TEN) == pytest.approx(1, abs=1e-9)  # all combinations: codes are independent
    assert information.mig(np.hstack([perfect, perfect]), TEN) == pytest.approx(0, abs=1e-9)
    assert information.mig(np.zeros((len(TEN), 3)), TEN) == 0
    assert information.mig(perfect * [1, -5, 0.1], TEN) == pytest.approx(1, abs=1e-9)
    assert voting.factor_vae(perfect, TEN, train=600, test=300) == 1
    assert voting.factor_vae(np.hstack([perfect, perfect]), TEN, train=600, test=300) == 1
    assert voting.factor_vae(np.zeros((len(TEN), 3)), TEN, train=60, test=30) == 0
    noise = np.random.default_rng(0).normal(size=perfect.shape)
    assert voting.factor_vae(noise, TEN, train=3000, test=1500) == pytest.approx(1 / 3, abs=0.06)
    assert robustness.irs(perfect, TEN) == 1
    assert robustness.irs(np.zeros((len(TEN), 3)), TEN) == 0
    assert separation.sap_continuous(perfect, TEN) == pytest.approx(1)
    assert separation.sap_continuous(np.hstack([perfect, perfect]), TEN) == pytest.approx(0)
    turn = np.array([[1, 1, 0], [-1, 1, 0], [0, 0, np.sqrt(2)]]) / np.sqrt(2)
    assert information.mig(perfect[:, :2] @ turn[:2, :2], TEN[:, :2]) < 0.05
    assert robustness.irs(perfect[:, :2] @ turn[:2, :2], TEN[:, :2]) == pytest.approx(0.5, abs=0.1)


def test_what_rounding_makes_of_a_constant_code_is_no_information():
    for seed in range(20):
        factors = np.random.default_rng(seed).integers(0, [5, 8, 6], (700 + seed, 3))
        found = information.mutual_information(np.zeros((len(factors), 2), np.int64), factors)
        assert (found == 0).all()
        assert information.modularity(found) == 0


def test_fewer_codes_than_factors_and_factors_of_one_value():
    assert information.mig(TEN[:, :1].astype(float), TEN) == pytest.approx(1 / 3, abs=1e-9)
    with pytest.raises(DataError, match="factor 1 has one value"):
        information.mig(TEN.astype(float), TEN * [1, 0, 1])
    with pytest.raises(DataError, match="only one class"):
        separation.explicitness(TEN.astype(float), TEN, TEN[:5].astype(float), TEN[:5])


def test_each_metric_on_codes_whose_scores_follow_from_theory():
    """Rows: what was done to a perfect code of three factors. Columns: what each metric must say of it."""
    rng = np.random.default_rng(0)
    perfect = np.tile(TEN, (2, 1)).astype(float)
    factors = np.tile(TEN, (2, 1))
    halves = np.repeat([True, False], len(TEN))
    turn = np.array([[1, 1, 0], [-1, 1, 0], [0, 0, np.sqrt(2)]]) / np.sqrt(2)
    made = {
        "perfect": (perfect, {"mig": 1, "modularity": 1, "sap": 1, "factor-vae": 1, "beta-vae": 1, "irs": 1}),
        "in another order": (perfect[:, [2, 0, 1]], {"mig": 1, "modularity": 1, "sap": 1, "factor-vae": 1, "irs": 1}),
        "scaled and mirrored": (perfect * [3, -1, 0.5] + 7, {"mig": 1, "modularity": 1, "sap": 1, "factor-vae": 1}),
        # Two factors lose their gaps; the third keeps its own.
        "rotated": (perfect @ turn, {"mig": 1 / 3, "sap": 1 / 3, "explicitness": 1}),
        # A factor twice: no gap, but each code is still about one factor.
        "duplicated": (np.hstack([perfect, perfect]), {"mig": 0, "sap": 0, "modularity": 1, "factor-vae": 1, "irs": 1}),
        "constant": (
            np.zeros_like(perfect),
            {"mig": 0, "modularity": 0, "sap": 0, "factor-vae": 0, "irs": 0, "explicitness": 0.5, "beta-vae": 1 / 3},
        ),
        # Dead and noisy numbers beside a perfect code: only means over codes see them.
        "with a dead number": (
            np.hstack([perfect, np.zeros((len(perfect), 1))]),
            {"mig": 1, "sap": 1, "factor-vae": 1, "irs": 1, "modularity": 3 / 4},
        ),
        "with noise": (np.hstack([perfect, rng.normal(size=(len(perfect), 1))]), {"sap": 1, "factor-vae": 1}),
        "noise": (rng.normal(size=perfect.shape), {"mig": 0, "sap": 0, "factor-vae": 1 / 3, "explicitness": 0.5}),
        # Fewer codes than factors: two of three are told.
        "fewer": (perfect[:, :2], {"mig": 2 / 3, "sap": 2 / 3, "factor-vae": 2 / 3, "modularity": 1, "irs": 1}),
        # Two factors as digits of one number: no line reads the units.
        "two in one": (perfect @ [[10, 0], [1, 0], [0, 1]], {"explicitness": 5 / 6}),
    }
    votes = {"train": 1500, "test": 1500, "batch": 64}
    for name, (table, expected) in made.items():
        shared = information.mutual_information(information.discretised(table), factors)
        found = {
            "mig": information.information_gap(shared, factors), "modularity": information.modularity(shared),
            "sap": separation.sap_continuous(table, factors), "irs": robustness.irs(table, factors),
            "factor-vae": voting.factor_vae(table, factors, **votes),
            "beta-vae": voting.beta_vae(table, factors, **votes),
            "explicitness": separation.explicitness(
                table[halves], factors[halves], table[~halves], factors[~halves]
            ),
        }  # fmt: skip
        assert all(0 <= score <= 1 + 1e-9 for score in found.values()), (name, found)
        assert {metric: found[metric] for metric in expected} == pytest.approx(expected, abs=0.06), name


def test_dci_of_codes_that_theory_knows():
    """Trees on all combinations: what is in no code has no importance, and is guessed."""
    pytest.importorskip("lightgbm")
    rng = np.random.default_rng(0)
    factors = np.array(list(itertools.product(range(3), range(3), range(3)))).repeat(12, axis=0)
    perfect, half = factors.astype(float), rng.permutation(len(factors)) % 2 == 0
    for table, disentangled, complete, informative in (
        (perfect, 1, 1, 1),
        (np.hstack([perfect, np.zeros((len(perfect), 2))]), 1, 1, 1),
        (np.zeros_like(perfect), 0, 0, 1 / 3),
        # Trees share the third factor out between codes that know nothing of it: rows [1, 0, 1/2] and [0, 1, 1/2].
        (perfect[:, :2], 1 - np.log(3 / 2 ** (2 / 3)) / np.log(3), 2 / 3, 7 / 9),
    ):
        found = importance.dci_lgbm(table[half], factors[half], table[~half], factors[~half])
        assert found.disentanglement == pytest.approx(disentangled, abs=0.1)
        assert found.completeness == pytest.approx(complete, abs=0.1)
        assert found.informativeness == pytest.approx(informative, abs=0.06)


def test_few_images_lower_mig_and_raise_the_information_of_noise():
    """Information of finite samples has a bias of about (bins - 1) * (values - 1) / (2 N) nats (Miller 1955)."""
    rng = np.random.default_rng(0)
    for count in (1000, 5000):
        factors = rng.integers(0, 10, (count, 10))
        noise = information.discretised(rng.uniform(size=(count, 10)))
        found = information.mutual_information(noise, factors).mean()
        assert found == pytest.approx(19 * 9 / (2 * count), rel=0.1)
        assert 0 < 1 - information.mig(factors.astype(float), factors) < 300 / count


def test_areas_are_those_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 6, (200, 4)) / 5, rng.random((200, 4)) < 0.3
    expected = [roc_auc_score(truth[:, place], scores[:, place]) for place in range(4)]
    np.testing.assert_allclose(separation.areas(scores, truth), expected, atol=1e-12)


def test_udr_of_equal_trainings():
    rng = np.random.default_rng(0)
    table = np.linalg.qr(rng.normal(size=(400, 4)))[0] * 20
    table -= table.mean(axis=0)
    assert unsupervised.udr([table, table], kind="lasso") == pytest.approx([0.9, 0.9], abs=0.02)
    assert unsupervised.udr([table, -table[:, ::-1]], kind="spearman")[0] > 0.85
    other = rng.normal(size=(400, 4))
    assert unsupervised.udr([table, other], kind="lasso")[0] < 0.1
    off = [np.array([1.0, 1, 1, 0]), np.ones(4)]
    assert 0 < unsupervised.udr([table, table], off, "lasso")[0] < 0.95
    three = [table, table @ np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 2, 1]]), other]
    kept = np.ones(4, bool)
    into = [
        np.median(
            [unsupervised.matching(unsupervised.likeness(one, mine), kept, kept) for one in three if one is not mine]
        )
        for mine in three
    ]
    assert unsupervised.udr(three) == pytest.approx(into), "how well the others are found in a training"
