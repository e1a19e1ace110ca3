"""Features elsewhere: what was pushed comes back equal; what is damaged, half or misnamed takes no place here."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import suppress
from dataclasses import replace

import fsspec
import numpy as np
import pytest

from ghbench.errors import DataError, MissingError, UsageError, UserError
from ghbench.store import FeatureKey, FeatureStore, remote

KEY = FeatureKey("net", "1", "", "0" * 64, {}, {}, "plain", "numpy", "float32", "faces", "1" * 64, 1)
IDS = [str(row) for row in range(1200)]
ROWS = np.random.default_rng(0).normal(size=(1200, 4)).astype(np.float32)


def every(key):
    return True


def fill(store, key=KEY, level="a", complete=True, shard_rows=0):
    stored = store.open(key, IDS, shard_rows)
    with stored.writing():
        for start, end in stored.missing_rows(level):
            stored.write_shard(level, start, ROWS[start:end])
        if complete:
            stored.complete(level)
    return stored


@pytest.fixture
def url(elsewhere):
    return elsewhere


@pytest.fixture
def stores(tmp_path):
    return FeatureStore(tmp_path / "one"), FeatureStore(tmp_path / "other")


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_what_was_pushed_comes_back_once(url, stores, dtype):
    key, (mine, theirs) = replace(KEY, dtype=dtype), stores
    fill(mine, key)
    fill(mine, key, "b")
    (first, second), again = list(remote.push(mine, url, every)), list(remote.push(mine, url, every))
    assert [first.level, second.level, again] == ["a", "b", []]
    assert len(list(remote.pull(theirs, url, every))) == 2
    assert not list(remote.pull(theirs, url, every))
    found = theirs.open(key, IDS)
    assert found.is_ready("a")
    np.testing.assert_array_equal(found.read("a"), mine.open(key, IDS).read("a"))
    assert not [path for path in theirs.root.rglob(".*") if "making" in path.name and path.is_dir()]


def test_keys_are_chosen_and_half_levels_stay(url, stores):
    mine, theirs = stores
    fill(mine)
    fill(mine, replace(KEY, extractor="other"))
    fill(mine, replace(KEY, extractor="third"), complete=False)
    assert len(list(remote.push(mine, url, every))) == 2
    (one,) = remote.pull(theirs, url, lambda key: key.extractor == "other")
    assert one.folder.startswith("other-faces-plain")


def test_a_half_level_here_is_replaced_and_a_whole_one_is_not(url, stores):
    mine, theirs = stores
    fill(mine)
    list(remote.push(mine, url, every))
    stored = theirs.open(KEY, IDS)
    with stored.writing():
        stored.write_shard("a", 0, -ROWS[:512])
    assert len(list(remote.pull(theirs, url, every))) == 1
    np.testing.assert_array_equal(theirs.open(KEY, IDS).read("a"), ROWS)


def refuse(*_):
    raise OSError("the network is gone")


def test_a_copy_that_was_cut_short_is_not_seen_and_goes_on(url, stores, monkeypatch):
    mine, theirs = stores
    fill(mine)
    monkeypatch.setattr(remote, "put", refuse)
    with pytest.raises(UserError, match="the network is gone"):
        list(remote.push(mine, url, every))
    monkeypatch.undo()
    with suppress(MissingError):
        assert not list(remote.pull(theirs, url, every))
    assert len(list(remote.push(mine, url, every))) == 1
    assert len(list(remote.pull(theirs, url, every))) == 1


def test_a_copy_over_other_rows_that_was_cut_short_hides_the_level(url, stores, tmp_path, monkeypatch):
    mine, theirs = stores
    fill(mine)
    list(remote.push(mine, url, every))
    other = FeatureStore(tmp_path / "third")
    stored = other.open(KEY, IDS)
    with stored.writing():
        for start, end in stored.missing_rows("a"):
            stored.write_shard("a", start, -ROWS[start:end])
        stored.complete("a")
    monkeypatch.setattr(remote, "put", refuse)
    with pytest.raises(UserError):
        list(remote.push(other, url, every))
    monkeypatch.undo()
    assert not list(remote.pull(theirs, url, every))
    assert len(list(remote.push(mine, url, every))) == 1, "and whoever has the rows repairs it"
    list(remote.pull(theirs, url, every))
    np.testing.assert_array_equal(theirs.open(KEY, IDS).read("a"), ROWS)


def test_what_is_damaged_here_is_not_sent_and_what_is_cut_short_there_is_sent_again(url, stores):
    mine, _ = stores
    stored = fill(mine)
    list(remote.push(mine, url, every))
    system, root = fsspec.core.url_to_fs(url)
    path = f"{root}/{stored.folder.name}/a/features.npy"
    system.pipe_file(path, system.cat_file(path)[:-4])
    assert len(list(remote.push(mine, url, every))) == 1
    whole = stored.folder / "a" / "features.npy"
    whole.write_bytes(whole.read_bytes()[:-1] + b"x")
    system.rm_file(path)
    with pytest.raises(DataError, match="is damaged"):
        list(remote.push(mine, url, every))


def test_other_shards_under_one_key_are_refused(url, stores):
    mine, theirs = stores
    fill(mine)
    list(remote.push(mine, url, every))
    fill(theirs, level="b", shard_rows=600)
    for verb in (remote.push, remote.pull):
        with pytest.raises(DataError, match="differ"):
            list(verb(theirs, url, every))


def test_a_lost_manifest_is_brought_back(url, stores):
    mine, theirs = stores
    fill(mine)
    list(remote.push(mine, url, every))
    list(remote.pull(theirs, url, every))
    (folder,) = theirs.folders()
    (folder / "manifest.json").unlink()
    list(remote.pull(theirs, url, every))
    assert theirs.folders() == [folder]


def test_only_what_a_manifest_names_is_fetched(url, stores):
    mine, theirs = stores
    stored = fill(mine)
    list(remote.push(mine, url, every))
    system, root = fsspec.core.url_to_fs(url)
    system.pipe_file(f"{root}/{stored.folder.name}/a/more.npy", b"x")
    list(remote.pull(theirs, url, every))
    assert sorted(path.name for path in (theirs.folders()[0] / "a").iterdir()) == ["features.npy", "level.json"]


@pytest.mark.parametrize("damage", ["data", "level", "key", "name", "gone", "shards", "dtype"])
def test_what_is_damaged_takes_no_place(url, stores, damage):
    mine, theirs = stores
    stored = fill(mine)
    list(remote.push(mine, url, every))
    system, root = fsspec.core.url_to_fs(url)
    there = f"{root}/{stored.folder.name}"
    if damage == "data":
        content = bytearray(system.cat_file(f"{there}/a/features.npy"))
        content[-1] ^= 1
        system.pipe_file(f"{there}/a/features.npy", bytes(content))
    elif damage == "gone":
        system.rm_file(f"{there}/a/features.npy")
    elif damage == "level":
        system.pipe_file(f"{there}/a/level.json", b"{")
    else:
        file = f"{there}/manifest.json" if damage == "key" else f"{there}/a/level.json"
        plain = json.loads(system.cat_file(file))
        if damage == "key":
            plain["key"]["extractor"] = "../../evil"
        elif damage == "shards":
            plain["shards"] = {}
        elif damage == "dtype":
            plain["dtype"] = "float16"
        else:
            plain["level"] = "../../evil"
        system.pipe_file(file, json.dumps(plain).encode())
    with pytest.raises(DataError):
        list(remote.pull(theirs, url, every))
    assert not list(theirs.root.rglob("*.npy"))
    assert not theirs.open(KEY, IDS).is_complete("a")


def test_a_bad_folder_is_named_and_the_others_are_copied(url, stores):
    mine, theirs = stores
    fill(mine)
    list(remote.push(mine, url, every))
    system, root = fsspec.core.url_to_fs(url)
    system.makedirs(f"{root}/aaa", exist_ok=True)
    system.pipe_file(f"{root}/aaa/manifest.json", b"")
    copied = []
    with pytest.raises(DataError, match="aaa"):
        copied.extend(remote.pull(theirs, url, every))
    assert theirs.open(KEY, IDS).is_ready("a")


def test_what_a_manifest_declares_takes_no_memory_and_other_sizes_are_not_fetched(url, stores, monkeypatch):
    mine, theirs = stores
    stored = fill(mine)
    list(remote.push(mine, url, every))
    system, root = fsspec.core.url_to_fs(url)
    there = f"{root}/{stored.folder.name}"
    system.pipe_file(f"{there}/a/features.npy", system.cat_file(f"{there}/a/features.npy") + b"more")
    monkeypatch.setattr(type(system), "get_file", refuse)
    with pytest.raises(DataError, match="damaged"):
        list(remote.pull(theirs, url, every))
    forged = json.loads(system.cat_file(f"{there}/manifest.json")) | {"rows": 10**9, "shard_rows": 1}
    system.pipe_file(f"{there}/manifest.json", json.dumps(forged).encode())
    level = json.loads(system.cat_file(f"{there}/a/level.json")) | {"shape": [10**9, 4]}
    system.pipe_file(f"{there}/a/level.json", json.dumps(level).encode())
    tracemalloc.start()
    with pytest.raises(DataError, match="does not name the rows"):
        list(remote.pull(theirs, url, every))
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_a_level_that_is_cut_short_here_is_fetched_again(url, stores):
    mine, theirs = stores
    fill(mine)
    list(remote.push(mine, url, every))
    list(remote.pull(theirs, url, every))
    whole = theirs.folders()[0] / "a" / "features.npy"
    whole.write_bytes(whole.read_bytes()[:-1])
    assert len(list(remote.pull(theirs, url, every))) == 1
    np.testing.assert_array_equal(theirs.open(KEY, IDS).read("a"), ROWS)


def test_other_images_under_one_key_are_refused(url, stores):
    mine, theirs = stores
    fill(mine)
    list(remote.push(mine, url, every))
    with theirs.open(KEY, [f"x{name}" for name in IDS]).writing():
        pass
    with pytest.raises(DataError, match="differ"):
        list(remote.pull(theirs, url, every))


def test_a_url_that_nobody_knows_is_refused(stores):
    for url in ("nowhere://x", "github://x", "ftp://localhost:1/x"):
        with pytest.raises(UsageError, match=f"{url} cannot be reached"):
            list(remote.push(stores[0], url, every))
    with pytest.raises(MissingError, match="nothing"):
        list(remote.pull(stores[0], str(stores[1].root / "nowhere"), every))


def test_the_command_copies(url, stores, monkeypatch, capsys):
    from ghbench.cli.main import app

    fill(stores[0])
    for store, verb in zip(stores, ("push", "pull"), strict=True):
        monkeypatch.setattr("ghbench.store.default_store", lambda store=store: store)
        app(["cache", verb, url, "--dataset", "faces"], standalone_mode=False)
        assert "1 levels copied" in capsys.readouterr().err
