"""The FAISS index: exactly what NumPy computes, and never believed over the shards it was made from."""

from __future__ import annotations

import numpy as np
import pytest

from ghbench.errors import DataError, MissingError, UsageError
from ghbench.store import FeatureKey, FeatureStore

pytest.importorskip("faiss")
from ghbench.store.faiss_index import feature_index

ROWS, DIM = 60, 5


def stored_features(root, values, dtype="float32"):
    key = FeatureKey("e", "1", "", "w", {}, {}, "plain", "numpy", dtype, "d", "digest", 1)
    stored = FeatureStore(root).open(key, [str(row) for row in range(len(values))], shard_rows=16)
    with stored.writing():
        for start, end in stored.missing_rows("a"):
            stored.write_shard("a", start, values[start:end])
        stored.complete("a")
    return stored


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(ROWS, DIM)).astype(np.float32)


def similarities(queries, values, similarity):
    if similarity == "l2":
        return -np.linalg.norm(queries[:, None] - values[None], axis=2)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries, values)]
    return unit[0] @ unit[1].T


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("similarity", ["cosine", "l2"])
def test_search_finds_what_brute_force_finds(tmp_path, values, similarity, dtype):
    stored = stored_features(tmp_path, values, dtype)
    queries = np.random.default_rng(1).normal(size=(7, DIM))
    expected = similarities(queries, stored.read("a").astype(np.float64), similarity)
    for _ in range(2):  # built, then read from its file
        found, rows = feature_index(stored, "a", similarity).search(queries, 4)
        np.testing.assert_array_equal(rows, np.argsort(-expected, axis=1)[:, :4])
        np.testing.assert_allclose(found, -np.sort(-expected, axis=1)[:, :4], atol=2e-3 if similarity == "l2" else 1e-6)


def test_a_row_of_zeros_is_alike_to_nothing(tmp_path, values):
    values[3] = 0
    found, rows = feature_index(stored_features(tmp_path, values), "a").search(values[4:5], ROWS)
    assert found[0][rows[0] == 3] == 0


def test_the_file_is_read_back_and_not_made_again(tmp_path, values):
    stored = stored_features(tmp_path, values)
    feature_index(stored, "a")
    path = stored.folder / "a" / "index-cosine.faiss"
    before = path.stat().st_mtime_ns
    feature_index(stored, "a")
    assert path.stat().st_mtime_ns == before
    assert path.with_suffix(".json").is_file()


@pytest.mark.parametrize("damage", ["byte", "cut", "gone", "manifest"])
def test_a_damaged_index_is_made_again(tmp_path, values, damage):
    stored = stored_features(tmp_path, values)
    feature_index(stored, "a")
    path = stored.folder / "a" / "index-cosine.faiss"
    whole = path.read_bytes()
    if damage == "byte":
        path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    elif damage == "cut":
        path.write_bytes(whole[:50])
    elif damage == "gone":
        path.unlink()
    else:
        path.with_suffix(".json").write_text('{"schema_version": 1, "simi')
    _, rows = feature_index(stored, "a").search(values, 1)
    assert rows[:, 0].tolist() == list(range(ROWS))
    assert path.read_bytes() == whole


def test_an_index_of_other_features_is_made_again(tmp_path, values):
    feature_index(stored_features(tmp_path, values), "a", "l2")
    stored = stored_features(tmp_path / "other", values[::-1].copy())
    for name in ("index-l2.faiss", "index-l2.json"):
        source = next(tmp_path.glob(f"e-*/a/{name}"))
        (stored.folder / "a" / name).write_bytes(source.read_bytes())
    _, rows = feature_index(stored, "a", "l2").search(values[:1], 1)
    assert rows[0, 0] == ROWS - 1


def test_wrong_questions_are_refused(tmp_path, values):
    stored = stored_features(tmp_path, values)
    index = feature_index(stored, "a")
    with pytest.raises(UsageError, match=r"\(1, 4\).*\[Q, 5\]"):
        index.search(values[:1, :4], 1)
    with pytest.raises(UsageError, match=r"61.* 60"):
        index.search(values, 61)
    with pytest.raises(DataError, match="'b'"):
        feature_index(stored, "b")


def test_without_faiss_the_message_names_the_extra(tmp_path, values, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(MissingError, match=r"pip install 'ghbench\[cpu\]'"):
        feature_index(stored_features(tmp_path, values), "a")
