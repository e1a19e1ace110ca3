"""Neighbours by FAISS: those that brute force finds, duplicates included; a kept index is never believed unchecked."""

from __future__ import annotations

import numpy as np
import pytest

from ghbench.errors import DataError, MissingError, UsageError
from ghbench.probes.knn import nearest

pytest.importorskip("faiss")
from ghbench.probes import indexed
from ghbench.probes.indexed import indexed_nearest

KINDS = ("cosine", "l2")


def features(rows=300, width=6, seed=0, offset=0.0):
    return (np.random.default_rng(seed).normal(size=(rows, width)) + offset).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_flat_index_finds_what_brute_force_finds(tmp_path, kind, offset, dtype):
    known, asked = features(offset=offset).astype(dtype), features(40, seed=1, offset=offset).astype(dtype)
    rows, values = indexed_nearest(asked, known, 5, kind, tmp_path)
    expected_rows, expected = nearest(asked, known, 5, kind)
    assert values == pytest.approx(expected, abs=2e-5)
    same = rows == expected_rows
    assert same.mean() > 0.97, "the others are equally similar to float32"
    assert not list(tmp_path.iterdir()), "a flat index is a copy of the features, and not kept"


@pytest.mark.parametrize("kind", KINDS)
def test_of_equal_rows_the_first_come_first(tmp_path, kind):
    known = np.repeat(features(5), 40, axis=0)
    rows, values = indexed_nearest(known[::40], known, 3, kind, tmp_path)
    assert rows.tolist() == [[40 * place, 40 * place + 1, 40 * place + 2] for place in range(5)]
    assert values == pytest.approx(np.full((5, 3), 1.0 if kind == "cosine" else 0.0), abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factory", ["Flat", "HNSW16"])
def test_a_row_is_not_its_own_neighbour(tmp_path, kind, factory):
    known = features()
    rows, _ = indexed_nearest(known, known, 4, kind, tmp_path, excluded=np.arange(300), factory=factory)
    assert not (rows == np.arange(300)[:, None]).any()
    expected, _ = nearest(known, known, 4, kind, excluded=np.arange(300))
    assert (rows == expected).mean() > 0.95


def test_all_rows_but_one_can_be_asked_for(tmp_path):
    known = features(12)
    rows, _ = indexed_nearest(known, known, 11, "l2", tmp_path, excluded=np.arange(12))
    assert all(sorted([own, *found]) == list(range(12)) for own, found in enumerate(rows.tolist()))


@pytest.mark.parametrize("damage", [None, "byte", "cut", "gone", "manifest"])
def test_a_trained_index_is_kept_and_made_again_when_damaged(tmp_path, damage):
    known, asked = features(400), features(30, seed=1)
    first = indexed_nearest(asked, known, 3, "l2", tmp_path, factory="IVF4,Flat")
    (path,) = tmp_path.glob("*.faiss")
    whole, before = path.read_bytes(), path.stat().st_ino
    if damage == "byte":
        path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    elif damage == "cut":
        path.write_bytes(whole[:50])
    elif damage == "gone":
        path.unlink()
    elif damage == "manifest":
        path.with_suffix(".json").write_text('{"sha2')
    again = indexed_nearest(asked, known, 3, "l2", tmp_path, factory="IVF4,Flat")
    assert np.array_equal(first[0], again[0])
    assert damage is not None or path.stat().st_ino == before, "the index is read again, not made again"
    assert path.read_bytes() == whole
    indexed_nearest(asked, known[::-1], 3, "l2", tmp_path, factory="IVF4,Flat")
    assert len(list(tmp_path.glob("*.faiss"))) == 2, "other features, another index"


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_read_in_blocks_and_some_of_them_train(tmp_path, kind, monkeypatch):
    known, asked = features(400), features(30, seed=1)
    monkeypatch.setattr(indexed, "_ADDED", 6 * 70)
    monkeypatch.setattr(indexed, "_TRAINED", 200)
    expected, _ = nearest(asked, known, 3, kind)
    for factory in ("Flat", "IVF4,Flat@nprobe=4"):
        rows, _ = indexed_nearest(asked, known, 3, kind, tmp_path, factory=factory)
        assert np.array_equal(rows, expected)


def test_how_an_index_searches_can_be_said(tmp_path):
    known, asked = features(400), features(60, seed=1)
    expected, _ = nearest(asked, known, 3, "l2")
    found = [
        (indexed_nearest(asked, known, 3, "l2", tmp_path, factory=f"IVF16,Flat@nprobe={lists}")[0] == expected).mean()
        for lists in (2, 16)
    ]
    assert found[0] < found[1] == 1
    assert len(list(tmp_path.glob("*.faiss"))) == 1, "one index, searched in two ways"


def test_what_cannot_be_is_refused(tmp_path):
    known = features(20)
    for search in ("nprobes=3", "nprobe=0", "nprobe=nan", "x", "efConstruction=40"):
        with pytest.raises(UsageError, match=f"cannot search by '{search}'"):
            indexed_nearest(features(400), features(400), 1, "l2", tmp_path, factory=f"IVF4,Flat@{search}")
    with pytest.raises(UsageError, match="no index 'Flatt'"):
        indexed_nearest(known, known, 1, "l2", tmp_path, factory="Flatt")
    with pytest.raises(UsageError, match=r"no index 'IVF100,Flat' of \(20, 6\)"):
        indexed_nearest(known, known, 1, "l2", tmp_path, factory="IVF100,Flat")
    with pytest.raises(DataError, match="fewer than 10"):
        indexed_nearest(known, known, 10, "l2", tmp_path, factory="IVF8,Flat")
    with pytest.raises(DataError, match="21 neighbours among 20 rows"):
        indexed_nearest(known, known, 21, "l2", tmp_path)
    with pytest.raises(DataError, match="for"):
        indexed_nearest(known[:, :3], known, 1, "l2", tmp_path)


def test_without_faiss_the_message_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(MissingError, match=r"pip install 'ghbench\[cpu\]'"):
        indexed_nearest(features(), features(), 1, "l2", tmp_path)
