"""The vectorised people bootstrap equals one weighted score a draw, and its spread equals a brute-force simulation."""

import numpy as np
import pytest

from ghbench.metrics import verification as v
from ghbench.metrics.people_bootstrap import JudgedPairs, accuracy_replicates, roc_replicates
from ghbench.task import Units


def judged(rng, people=8, pictures=4, ties=False):
    person = np.repeat(np.arange(people), pictures)
    left, right = np.triu_indices(len(person), 1)
    same = person[left] == person[right]
    similarity = rng.normal(size=len(left)) + 1.2 * same
    if ties:
        similarity = np.round(similarity, 1)
    decided = rng.integers(1, 4, len(left)).astype(float)
    accepted = np.floor(decided * rng.random(len(left)) + 0.3 * same)
    return JudgedPairs(similarity, same, np.minimum(accepted, decided), decided, person[left], person[right])


@pytest.mark.parametrize("ties", [False, True])
def test_every_draw_equals_the_weighted_metric(ties):
    rng = np.random.default_rng(1)
    pairs = judged(rng, ties=ties)
    draws = rng.multinomial(8, np.full(8, 1 / 8), size=60).astype(float)
    accuracy = accuracy_replicates(pairs, draws)
    curves = roc_replicates(pairs, draws, [0.1, 0.01])
    units = Units("people", pairs.first, pairs.second, 8)
    for row, draw in enumerate(draws):
        weight = units.weights(draw)
        expected = v.balanced_accuracy(pairs.accepted, pairs.same, pairs.decided, weight)
        curve = v.roc(pairs.similarity, pairs.same, weight * pairs.decided)
        assert accuracy[row] == pytest.approx(expected, nan_ok=True)
        assert curves["auc"][row] == pytest.approx(v.auc(curve), nan_ok=True)
        assert curves["eer"][row] == pytest.approx(v.eer(curve), abs=1e-12, nan_ok=True)
        for far in (0.1, 0.01):
            assert curves[far][row] == pytest.approx(v.tar_at_far(curve, far), nan_ok=True)


def test_a_draw_of_one_person_has_no_mismatched_pair_and_no_number():
    pairs = judged(np.random.default_rng(2))
    draw = np.zeros((1, 8))
    draw[0, 3] = 8
    assert np.isnan(accuracy_replicates(pairs, draw)).all()
    assert all(np.isnan(values).all() for values in roc_replicates(pairs, draw, [0.1]).values())


def test_perfect_separation_has_no_error_in_any_draw():
    pairs = judged(np.random.default_rng(3))
    pairs = JudgedPairs(
        pairs.same * 1.0, pairs.same, pairs.same * pairs.decided, pairs.decided, pairs.first, pairs.second
    )
    draws = np.random.default_rng(4).multinomial(8, np.full(8, 1 / 8), size=20).astype(float)
    assert (accuracy_replicates(pairs, draws) == 1).all()
    assert np.allclose(roc_replicates(pairs, draws, [])["eer"], 0)


def test_spread_over_resampled_people_equals_the_spread_over_new_people():
    """Simulation: people with their own difficulty; the bootstrap from one sample must find the true spread."""

    def sample(rng, people=60, pictures=5):
        person = np.repeat(np.arange(people), pictures)
        centre = rng.normal(size=(people, 4)) * rng.uniform(0.4, 1.6, size=(people, 1))
        features = centre[person] + rng.normal(size=(len(person), 4))
        left, right = np.triu_indices(len(person), 1)
        same = person[left] == person[right]
        accepted = (v.pair_similarity(features, left, right, "l2") > -2.6).astype(float)
        return JudgedPairs(np.zeros(len(left)), same, accepted, np.ones(len(left)), person[left], person[right])

    rng = np.random.default_rng(5)
    worlds = [sample(rng) for _ in range(150)]
    everybody = np.ones((1, 60))
    truth = np.std([accuracy_replicates(world, everybody)[0] for world in worlds])
    draws = rng.multinomial(60, np.full(60, 1 / 60), size=400).astype(float)
    estimates = [accuracy_replicates(world, draws).std() for world in worlds[:25]]
    naive = np.mean(
        [
            np.sqrt(
                0.25
                * sum(world.accepted[world.same == kind].var() / np.sum(world.same == kind) for kind in (True, False))
            )
            for world in worlds[:25]
        ]
    )
    assert np.mean(estimates) == pytest.approx(truth, rel=0.2)
    assert naive < 0.7 * truth
