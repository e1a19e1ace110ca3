"""Neighbours and votes against scikit-learn, with ties, in blocks, and without the image itself."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from ghbench.errors import DataError
from ghbench.probes import knn
from ghbench.probes.knn import majority, nearest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(("kind", "metric"), [("cosine", "cosine"), ("l2", "euclidean")])
@pytest.mark.parametrize("sizes", [{}, {"_QUERIES": 4, "_FIRST": 20, "_MOST": 50, "_REST": 8}])
def test_neighbours_are_scikit_learns(rng, monkeypatch, kind, metric, sizes):
    for name, size in sizes.items():
        monkeypatch.setattr(knn, name, size)
    queries, features = rng.normal(size=(30, 8)) + 5, rng.normal(size=(200, 8)) + 5
    rows, similarities = nearest(queries, features, 7, kind)
    distances, expected = NearestNeighbors(n_neighbors=7, metric=metric).fit(features).kneighbors(queries)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(similarities, 1 - distances if kind == "cosine" else -distances, atol=1e-4)


@pytest.mark.parametrize("kind", ["cosine", "l2"])
def test_a_large_common_part_hides_no_neighbour(rng, kind):
    features = (rng.normal(size=(400, 20)) + 2_000 * rng.normal(size=20)).astype(np.float32)
    rows, _ = nearest(features[:50], features, 5, kind, excluded=np.arange(50))
    exact = features.astype(np.float64)
    if kind == "cosine":
        exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    distances = np.linalg.norm(exact[:50, None] - exact[None], axis=2)  # of unit rows: ranks as the cosine does
    distances[np.arange(50), np.arange(50)] = np.inf
    assert (rows == np.argsort(distances, axis=1)[:, :5]).mean() > 0.98


@pytest.mark.parametrize("kind", ["cosine", "l2"])
@pytest.mark.parametrize("spread", [0.5, 0.05])
def test_neighbours_within_tight_clusters_are_found(rng, kind, spread):
    features = (100 * rng.normal(size=(3, 32))).repeat(200, axis=0) + spread * rng.normal(size=(600, 32))
    features = features.astype(np.float32)
    rows, _ = nearest(features[::20], features, 5, kind, excluded=np.arange(0, 600, 20))
    exact = features.astype(np.float64)
    if kind == "cosine":
        exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    distances = np.linalg.norm(exact[::20, None] - exact[None], axis=2)
    distances[np.arange(30), np.arange(0, 600, 20)] = np.inf
    assert (rows == np.argsort(distances, axis=1)[:, :5]).mean() > 0.97


def test_rows_of_zeros_are_like_no_row():
    features = np.array([[0.0, 0], [1, 0], [-1, 0.1], [0, 0]])
    rows, similarities = nearest(np.array([[2.0, 0], [0, 0]]), features, 4)
    assert rows.tolist() == [[1, 0, 3, 2], [0, 1, 2, 3]]
    np.testing.assert_allclose(similarities, [[1, 0, 0, -1 / np.sqrt(1.01)], [0, 0, 0, 0]], atol=1e-6)


def test_an_image_is_not_its_own_neighbour(rng):
    features = rng.normal(size=(20, 4))
    rows, _ = nearest(features, features, 19, excluded=np.arange(20))
    assert all(sorted(row) == [other for other in range(20) if other != number] for number, row in enumerate(rows))


def test_of_equally_similar_rows_the_first_ones_are_taken():
    rows, similarities = nearest(np.ones((1, 3)), np.ones((5, 3)), 2)
    assert rows[0].tolist() == [0, 1]
    np.testing.assert_allclose(similarities, 1)


@pytest.mark.parametrize("kind", ["cosine", "l2"])
@pytest.mark.parametrize("rows", [1_003, 1_010, 1_033])
def test_of_equal_rows_the_first_comes_first_on_any_number_of_cores(rng, monkeypatch, kind, rows):
    features = np.repeat(rng.normal(size=(rows // 2 + 1, 65)), 2, axis=0)[:rows].astype(np.float32)
    features = features[rng.permutation(rows)]
    found = []
    for cores in (1, 8):
        monkeypatch.setattr(knn, "usable_cores", lambda cores=cores: cores)
        found.append(nearest(features[:1_100], features, 4, kind)[0])
    np.testing.assert_array_equal(*found)
    first, second = found[0][:, 0], found[0][:, 1]
    twins = (features[first] == features[second]).all(axis=1)
    assert twins.mean() > 0.9
    assert (first < second)[twins].all()


def test_a_majority_wins_and_ties_go_to_the_nearest():
    classes = np.array([[2, 1, 1], [2, 1, 0], [0, 2, 2], [1, 0, 0]])
    assert majority(classes, 3).tolist() == [1, 2, 2, 0]


def test_votes_are_scikit_learns_where_nothing_ties(rng):
    features, classes = rng.normal(size=(300, 5)), rng.integers(0, 2, 300)
    queries = rng.normal(size=(50, 5))
    rows, _ = nearest(queries, features, 7, "l2")
    expected = KNeighborsClassifier(7).fit(features, classes).predict(queries)
    np.testing.assert_array_equal(majority(classes[rows], 2), expected)


def test_impossible_searches_are_refused(rng):
    with pytest.raises(DataError, match="neighbours"):
        nearest(np.ones((2, 3)), np.ones((2, 3)), 2, excluded=np.arange(2))
    with pytest.raises(DataError, match="neighbours"):
        nearest(np.ones((2, 3)), np.ones((5, 4)), 2)
    with pytest.raises(ValueError, match="cosine"):
        nearest(np.ones((2, 3)), np.ones((5, 3)), 2, "l1")
