"""The feature store: whole shards or none, believed by digest only, locked, and read without being changed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from filelock import FileLock

from ghbench.digests import digest_bytes, digest_file
from ghbench.errors import DataError, FeatureError, UserError
from ghbench.store import FeatureKey, FeatureStore, ShardNote, level_files, manifest
from ghbench.store.filling import Filling
from ghbench.store.inspection import chosen_for_removal, damaged_files, describe_folder
from ghbench.store.level_files import shard_bytes
from ghbench.store.manifest import LevelManifest
from ghbench.store.shards import level_manifest

ROWS, DIM = 20, 3
VALUES = np.random.default_rng(0).normal(size=(ROWS, DIM)).astype(np.float32)
IDS = tuple(f"id{row}" for row in range(ROWS))


def key(**changes):
    parts = {"extractor": "e", "extractor_version": "1", "options": "", "weights_digest": "w"}
    parts |= {"preprocessing": {"size": (8, 8)}, "align": {"name": "none"}, "view": "plain", "backend": "numpy"}
    parts |= {"dtype": "float32", "dataset": "d", "dataset_digest": "digest", "decode_version": 1}
    return FeatureKey(**parts | changes)


def opened(root, shard_rows=8, **changes):
    return FeatureStore(root).open(key(**changes), IDS, shard_rows)


def fill(stored, level="a", values=VALUES):
    with stored.writing():
        for start, end in stored.missing_rows(level):
            stored.write_shard(level, start, values[start:end], ShardNote(1, 0.5, 2.0))
        stored.complete(level, ["noticed"])
    return stored


@pytest.mark.parametrize("shard_rows", [8, 20, 512])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_written_is_read_back_in_the_storage_dtype(tmp_path, shard_rows, dtype):
    fill(opened(tmp_path, shard_rows, dtype=dtype))
    stored = opened(tmp_path, shard_rows, dtype=dtype)
    assert stored.is_complete("a")
    np.testing.assert_array_equal(stored.read("a"), VALUES.astype(dtype))
    assert stored.read("a").dtype == dtype
    assert stored.warnings("a") == ["noticed"]


@pytest.mark.parametrize("shard_rows", [8, 512])
def test_features_cannot_be_changed_by_those_who_read_them(tmp_path, shard_rows):
    stored = fill(opened(tmp_path, shard_rows))
    with pytest.raises(ValueError, match="read-only"):
        stored.read("a")[0, 0] = 1


@pytest.mark.parametrize("shard_rows", [8, 512])
def test_a_complete_level_is_one_file_that_maps_into_memory(tmp_path, shard_rows):
    stored = fill(opened(tmp_path, shard_rows))
    assert isinstance(stored.read("a"), np.memmap)
    (numbers,) = (stored.folder / "a").glob("*.npy")
    np.testing.assert_array_equal(np.load(numbers), VALUES)


@pytest.mark.parametrize(
    "changes",
    [
        {"extractor_version": "2"}, {"weights_digest": "v"}, {"options": "seed=1"}, {"view": "flipped"},
        {"preprocessing": {"size": (9, 8)}}, {"align": {"name": "tight"}}, {"backend": "torch"}, {"dtype": "float16"},
        {"dataset_digest": "other"}, {"decode_version": 2},
    ],
)  # fmt: skip
def test_whatever_can_change_a_number_is_another_key(tmp_path, changes):
    fill(opened(tmp_path))
    assert opened(tmp_path, **changes).missing_rows("a") == [(0, 8), (8, 16), (16, 20)]


def test_an_odd_name_stays_one_readable_folder(tmp_path):
    folder = fill(opened(tmp_path, extractor="../my package/Net:x")).folder
    assert folder.parent == tmp_path
    assert folder.name.startswith("_my_package_Net_x-d-plain-")
    assert FeatureStore(tmp_path).folders() == [folder]


@pytest.mark.parametrize("content", ["", "{", '{"schema_version": 99}', "\x00\x01", "[1]"])
def test_a_half_written_level_manifest_means_the_level_is_not_there(tmp_path, content):
    stored = fill(opened(tmp_path))
    (stored.folder / "a" / "level.json").write_text(content)
    again = opened(tmp_path)
    assert not again.is_complete("a")
    assert again.missing_rows("a") == [(0, 8), (8, 16), (16, 20)]
    with pytest.raises(DataError, match=r"\(0, 8\)"):
        again.read("a")
    np.testing.assert_array_equal(fill(again).read("a"), VALUES)


@pytest.mark.parametrize("content", ["", "{", "\x00"])
@pytest.mark.parametrize("shard_rows", [8, 5, 512])
def test_a_half_written_key_manifest_is_made_anew_and_shards_of_another_cut_are_not_believed(
    tmp_path, content, shard_rows
):
    stored = fill(opened(tmp_path))
    (stored.folder / "manifest.json").write_text(content)
    assert describe_folder(stored.folder)["key"]["extractor"] == stored.folder.name
    again = opened(tmp_path, shard_rows)
    assert (again.missing_rows("a") == []) == (shard_rows == 8)
    np.testing.assert_array_equal(fill(again).read("a"), VALUES)
    assert sum(note.rows[1] - note.rows[0] for note in again.notes("a")) == ROWS


def test_a_key_keeps_the_cut_it_was_made_with(tmp_path):
    fill(opened(tmp_path, 8))
    stored = opened(tmp_path, 5)
    assert (stored.shard_rows, stored.missing_rows("a")) == (8, [])


def test_features_of_other_rows_are_not_believed(tmp_path):
    fill(opened(tmp_path))
    with pytest.raises(DataError, match="other images"):
        FeatureStore(tmp_path).open(key(), IDS[::-1])


@pytest.mark.parametrize("damage", ["bit", "cut", "gone"])
def test_a_damaged_level_loses_the_shards_that_were_hit_and_no_others(tmp_path, damage):
    stored = fill(opened(tmp_path))
    whole = stored.folder / "a" / "features.npy"
    content = bytearray(whole.read_bytes())
    bad = {"bit": [(8, 16)], "cut": [(16, 20)], "gone": [(0, 8), (8, 16), (16, 20)]}[damage]
    if damage == "gone":
        whole.unlink()
    elif damage == "cut":
        whole.write_bytes(content[:-1])
    else:
        content[-(ROWS - 8) * DIM * 4] ^= 1
        whole.write_bytes(content)
    before = (stored.folder / "a" / "level.json").read_bytes()
    reader = opened(tmp_path)
    with pytest.raises(DataError, match=re.escape(str(bad[:3]))):
        reader.read("a")
    assert len(damaged_files(stored.folder)) == len(bad)
    assert (stored.folder / "a" / "level.json").read_bytes() == before  # readers change nothing
    with reader.writing():
        assert reader.missing_rows("a") == bad
        assert not reader.is_complete("a")
    assert len(list(stored.folder.glob("quarantine/a-shard-00001-*.npy"))) == (damage == "bit")
    np.testing.assert_array_equal(fill(reader).read("a"), VALUES)
    assert damaged_files(stored.folder) == []


@pytest.mark.parametrize("damage", ["level", "shards", "key"])
def test_manifests_that_are_damaged_or_lack_shards_are_found(tmp_path, damage):
    stored = fill(opened(tmp_path))
    path = stored.folder / ("manifest.json" if damage == "key" else "a/level.json")
    note = json.loads(path.read_text())
    if damage == "shards":
        del note["shards"]["1"]
    path.write_text(json.dumps(note) if damage == "shards" else "{")
    assert path in damaged_files(stored.folder)


def test_the_manifest_of_another_level_says_nothing_of_this_one(tmp_path):
    stored = fill(opened(tmp_path))
    shutil.copytree(stored.folder / "a", stored.folder / "b")
    assert opened(tmp_path).is_ready("a")
    assert not opened(tmp_path).is_complete("b")


def test_what_was_set_aside_to_be_deleted_is_no_key(tmp_path):
    stored = fill(opened(tmp_path))
    shutil.copytree(stored.folder, stored.folder.with_name(f".{stored.folder.name}.0a1b2c3d.removed"))
    assert FeatureStore(stored.folder.parent).folders() == [stored.folder]


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_rows_that_vanish_after_they_were_checked_are_no_shorter_array(tmp_path, dtype):
    stored = opened(tmp_path, dtype=dtype)
    with stored.writing():
        for start, end in stored.missing_rows("a"):
            stored.write_shard("a", start, VALUES[start:end])
    assert not stored.missing_rows("a")
    (stored.folder / "a" / level_files.WHOLE).unlink()
    with pytest.raises(DataError, match="just been changed"):
        stored.read("a")


def written_singly(stored, *numbers):
    """As a store is in which each shard had a file of its own until the level was complete."""
    folder = stored.folder / "a"
    for number in numbers:
        np.save(level_files.shard_path(folder, number), VALUES[8 * number : 8 * number + 8])
    (folder / level_files.WHOLE).unlink()


@pytest.mark.parametrize("singly", [False, True])
@pytest.mark.parametrize("damage", ["bit", "cut", "gone"])
def test_a_damaged_shard_of_a_level_that_is_being_filled_is_quarantined_by_writers(tmp_path, damage, singly):
    stored = opened(tmp_path)
    with stored.writing():
        stored.write_shard("a", 8, VALUES[8:16])
    if singly:
        written_singly(stored, 1)
    (file,) = (stored.folder / "a").glob("*.npy")
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:-1] if damage == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    reader = opened(tmp_path)
    with reader.writing():
        assert reader.missing_rows("a") == [(0, 8), (8, 16), (16, 20)]
    kept = damage == "bit" or (damage == "cut" and singly)
    assert len(list(stored.folder.glob("quarantine/a-shard-00001-*.npy"))) == kept
    np.testing.assert_array_equal(fill(reader).read("a"), VALUES)


def test_shards_that_were_written_singly_are_used_and_end_in_one_file(tmp_path):
    stored = opened(tmp_path)
    with stored.writing():
        stored.write_shard("a", 8, VALUES[8:16])
    written_singly(stored, 1)
    np.save(level_files.shard_path(stored.folder / "a", 0), VALUES[:8] + 1)  # and no manifest names it
    again = opened(tmp_path)
    assert again.missing_rows("a") == [(0, 8), (16, 20)]
    np.testing.assert_array_equal(fill(again).read("a"), VALUES)
    assert [path.name for path in (stored.folder / "a").glob("*.npy")] == [level_files.WHOLE]


@pytest.fixture
def filling(tmp_path):
    """A level that is being filled, by a clock of its own."""
    found = Filling(tmp_path / "a", level_manifest(key(), "a", (ROWS, DIM), {}), 3, clock=lambda: found.now)
    found.now = 0.0
    yield found
    found.close()


def put(filling, number):
    rows = VALUES[8 * number : 8 * number + 8]
    filling.put(number, rows, (8 * number, 8 * number + len(rows)))


def named(tmp_path):
    known = manifest.read(LevelManifest, tmp_path / "a" / "level.json")
    return known and sorted(known.shards)


def test_shards_that_come_seldom_are_named_at_once_and_others_with_the_first_that_is_late(tmp_path, filling):
    for now, number, expected in ((0.0, 0, [0]), (1.9, 1, [0]), (2.1, 2, [0, 1, 2])):
        filling.now = now
        put(filling, number)
        assert named(tmp_path) == expected


def test_shards_are_named_soon_even_if_no_other_comes(tmp_path, filling, monkeypatch):
    monkeypatch.setattr(sys.modules[Filling.__module__], "SECONDS", 0.05)
    put(filling, 0), put(filling, 1)
    assert named(tmp_path) == [0]
    for _ in range(100):
        if named(tmp_path) == [0, 1]:
            break
        time.sleep(0.05)
    assert named(tmp_path) == [0, 1]


def test_a_file_of_other_rows_than_its_manifest_says_counts_for_nothing(tmp_path):
    stored = opened(tmp_path)
    with stored.writing():
        stored.write_shard("a", 0, VALUES[:8])
        stored.write_shard("a", 8, VALUES[8:16])
    path = stored.folder / "a" / level_files.WHOLE
    path.write_bytes(path.read_bytes().replace(b"(20, 3)", b"(00, 3)"))
    again = opened(tmp_path)
    with again.writing():
        again.write_shard("a", 16, VALUES[16:])
        assert again.missing_rows("a") == [(0, 8), (8, 16)]
    np.testing.assert_array_equal(fill(again).read("a"), VALUES)
    path.write_bytes(path.read_bytes().replace(b"(20, 3)", b"(00, 3)"))
    assert len(opened(tmp_path).missing_rows("a")) == 3


def test_what_is_kept_of_one_level_does_not_depend_on_the_other(tmp_path, monkeypatch):
    stored = opened(tmp_path)

    def fails(self):
        if self.note.level == "a":
            raise OSError(28, "No space left on device")
        commit(self)

    commit = Filling.commit
    with pytest.raises(UserError, match="No space left"), stored.writing():  # noqa: PT012
        for level in ("a", "b"):
            stored.write_shard(level, 0, VALUES[:8])
            stored.write_shard(level, 8, VALUES[8:16])
        monkeypatch.setattr(Filling, "commit", fails)
    monkeypatch.undo()
    with FileLock(stored.folder / "lock", timeout=0):
        assert opened(tmp_path).missing_rows("b") == [(16, 20)]


def test_nothing_is_written_outside_the_block(tmp_path):
    with pytest.raises(RuntimeError, match="inside"):
        opened(tmp_path).write_shard("a", 0, VALUES[:8])


def test_rows_of_another_width_that_no_manifest_names_give_way(tmp_path):
    stored = fill(opened(tmp_path))
    mapped = stored.read("a")
    (stored.folder / "a" / "level.json").unlink()
    again = fill(opened(tmp_path), values=VALUES[:, :2])
    np.testing.assert_array_equal(again.read("a"), VALUES[:, :2])
    np.testing.assert_array_equal(mapped, VALUES)  # by whoever reads it still


def test_a_level_is_complete_only_when_it_is(tmp_path):
    stored = opened(tmp_path)
    with stored.writing():
        stored.write_shard("a", 8, VALUES[8:16])
        with pytest.raises(DataError, match="'a'"):
            stored.complete("a")
    assert stored.missing_rows("a") == [(0, 8), (16, 20)]
    assert [note.rows for note in stored.notes("a")] == [(8, 16)]


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "lock", "quarantine", "manifest.json", "a b"])
def test_a_level_whose_name_cannot_name_a_folder_is_refused(tmp_path, name):
    stored = opened(tmp_path)
    with stored.writing(), pytest.raises(DataError, match="level name"):
        stored.write_shard(name, 0, VALUES[:8])


def test_rows_that_are_no_shard_are_refused(tmp_path):
    stored = opened(tmp_path)
    with stored.writing():
        for start, rows in ((0, VALUES[:7]), (4, VALUES[4:12]), (16, VALUES[:8])):
            with pytest.raises(DataError, match="shard"):
                stored.write_shard("a", start, rows)


def test_a_level_does_not_change_its_dimension(tmp_path):
    stored = opened(tmp_path)
    with stored.writing():
        stored.write_shard("a", 0, VALUES[:8])
        with pytest.raises(FeatureError, match=r"had 3 .* 2,"):
            stored.write_shard("a", 8, VALUES[8:16, :2])


@pytest.mark.parametrize(("dtype", "value"), [("float32", np.nan), ("float32", 1e39), ("float16", 70000.0)])
def test_what_the_storage_dtype_cannot_hold_is_refused(tmp_path, dtype, value):
    held = "NaN or Inf" if np.isnan(value) else f"{value:g}, too large for {dtype}"
    values = VALUES.astype(np.float64)
    values[9, 1] = value
    stored = opened(tmp_path, dtype=dtype)
    with stored.writing(), pytest.raises(FeatureError, match=f"row 9 holds {re.escape(held)}"):
        stored.write_shard("a", 8, values[8:16])


def test_a_full_disk_is_said_clearly_wherever_it_strikes(tmp_path, monkeypatch):
    stored = opened(tmp_path)
    with stored.writing():
        stored.write_shard("a", 0, VALUES[:8])
    from ghbench import atomic

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    for failing in (stored, opened(tmp_path, view="flipped")):
        with pytest.raises(UserError, match="No space left on device"), failing.writing():
            failing.write_shard("a", 8, VALUES[8:16])
    monkeypatch.undo()
    assert opened(tmp_path).missing_rows("a") == [(8, 16), (16, 20)]


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files")
def test_a_shard_that_does_not_fit_costs_no_other_and_frees_the_lock(tmp_path):
    import resource

    ids, rows = [str(row) for row in range(16)], np.ones((8, 400), np.float32)
    stored, before = FeatureStore(tmp_path).open(key(), ids, 8), resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(UserError, match="too large"), stored.writing():  # noqa: PT012
            stored.write_shard("a", 0, rows)
            resource.setrlimit(resource.RLIMIT_FSIZE, (rows.nbytes + 1_000, before[1]))  # as a full disk: half fits
            stored.write_shard("a", 8, rows)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    with FileLock(stored.folder / "lock", timeout=0):
        assert FeatureStore(tmp_path).open(key(), ids, 8).missing_rows("a") == [(8, 16)]


def test_a_level_that_lost_a_shard_is_not_complete_when_another_is_written(tmp_path):
    stored = fill(opened(tmp_path))
    path = stored.folder / "a" / "level.json"
    note = json.loads(path.read_text())
    del note["shards"]["1"], note["shards"]["2"]
    path.write_text(json.dumps(note))
    again = opened(tmp_path)
    with again.writing():
        again.write_shard("a", 8, VALUES[8:16])
    assert not opened(tmp_path).is_complete("a")
    assert opened(tmp_path).missing_rows("a") == [(16, 20)]


def test_errors_of_whoever_holds_the_lock_pass_unchanged_and_free_it(tmp_path):
    stored = opened(tmp_path)
    with pytest.raises(OSError, match="mine"), stored.writing():
        raise OSError("mine")
    with FileLock(stored.folder / "lock", timeout=0):
        pass


def test_what_a_killed_removal_left_is_swept_by_the_next_writer(tmp_path):
    for name in (".old-0123.ab12.removed", ".other-4567.cd34.removed"):
        (tmp_path / name / "a").mkdir(parents=True)
        (tmp_path / name / "a" / "shard-00000.npy").touch()
    store = FeatureStore(tmp_path)
    assert len(store.removed_folders()) == 2
    stored = fill(opened(tmp_path))
    assert store.removed_folders() == []
    (tmp_path / ".old-0123.ab12.removed").mkdir()
    store.remove(stored.folder)
    assert list(tmp_path.iterdir()) == []


FORGED = {
    "another shape": lambda rows: rows[:, :2],
    "a row less": lambda rows: rows[1:],
    "another dtype": lambda rows: rows.astype(np.float64),
    "one dimension": lambda rows: rows[:, 0],
    "no dimension": lambda rows: rows[0, 0],
    "NaN": lambda rows: np.where(rows == rows[0, 0], np.nan, rows),
    "records": lambda rows: rows.view([(name, rows.dtype) for name in "abc"]),
    "text": lambda rows: rows.astype(str),
}


@pytest.mark.parametrize("forgery", FORGED)
def test_a_shard_with_a_forged_digest_counts_as_damaged(tmp_path, forgery):
    stored = fill(opened(tmp_path))
    path, note = stored.folder / "a" / "shard-00001.npy", stored.folder / "a" / "level.json"
    np.save(path, FORGED[forgery](VALUES[8:16]))
    before = digest_bytes(shard_bytes(VALUES[8:16]))
    note.write_text(note.read_text().replace(before, digest_file(path)))
    again = opened(tmp_path)
    assert again.missing_rows("a") == [(8, 16)]
    with pytest.raises(DataError, match="lacks rows"):
        again.read("a")
    np.testing.assert_array_equal(fill(again).read("a"), VALUES)


MANIFESTS = {
    "no shard size": lambda m: m | {"shard_rows": 0},
    "a negative shard size": lambda m: m | {"shard_rows": -8},
    "NaN in the key": lambda m: m | {"key": m["key"] | {"options": float("nan")}},
    "a number of five thousand digits": lambda m: m | {"key": m["key"] | {"options": "DIGITS"}},
    "a list": lambda m: [m],
    "a key of another form": lambda m: m | {"key": {}},
    "names that are none": lambda m: m | {"key": m["key"] | {"extractor": 3, "align": None}},
}


@pytest.mark.parametrize("forgery", MANIFESTS)
def test_a_forged_manifest_is_described_and_made_again_or_refused(tmp_path, forgery):
    stored = fill(opened(tmp_path))
    path = stored.folder / "manifest.json"
    text = json.dumps(MANIFESTS[forgery](json.loads(path.read_text())))
    path.write_text(text.replace('"DIGITS"', "9" * 5_000))
    assert isinstance(describe_folder(stored.folder)["key"]["align"]["name"], str)
    assert set(damaged_files(stored.folder)) <= {path}
    with suppress(DataError):  # another key's folder is refused
        np.testing.assert_array_equal(fill(opened(tmp_path)).read("a"), VALUES)


def test_a_pipe_in_place_of_a_manifest_or_shard_is_not_waited_for(tmp_path):
    stored = fill(opened(tmp_path))
    for name in ("manifest.json", "a/level.json", "a/features.npy"):
        (stored.folder / name).unlink()
        os.mkfifo(stored.folder / name)
    assert opened(tmp_path).missing_rows("a")
    assert describe_folder(stored.folder)["rows"] == 0


def test_leftovers_of_killed_writers_are_swept(tmp_path):
    stored = fill(opened(tmp_path))
    left = [stored.folder / "a" / ".shard-00001.npy.77-ab.tmp", stored.folder / "a" / ".level.json.77-ab.tmp"]
    left.append(stored.folder / ".manifest.json.77-ab.tmp")
    for path in left:
        path.write_bytes(b"half")
    with opened(tmp_path).writing():
        assert not any(path.exists() for path in left)
    np.testing.assert_array_equal(opened(tmp_path).read("a"), VALUES)


def test_one_writer_at_a_time_and_the_second_finds_the_work_done(tmp_path):
    found = []

    def second():
        other = opened(tmp_path)
        with other.writing():
            found.append(other.missing_rows("a"))

    stored = opened(tmp_path)
    with stored.writing():
        waiting = threading.Thread(target=second)
        waiting.start()
        for start, end in stored.missing_rows("a"):
            stored.write_shard("a", start, VALUES[start:end])
        assert found == []
    waiting.join(10)
    assert found == [[]]


def test_a_key_in_use_is_not_removed(tmp_path):
    store, stored = FeatureStore(tmp_path), fill(opened(tmp_path))
    with stored.writing(), pytest.raises(UserError, match="another process"):
        store.remove(stored.folder)
    store.remove(stored.folder)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_says_what_it_holds(tmp_path):
    stored = fill(opened(tmp_path))
    with stored.writing():
        stored.write_shard("b", 0, VALUES[:8])
    described = describe_folder(stored.folder)
    assert described["levels"] == {"a": "complete", "b": "partial"}
    assert (described["rows"], described["key"]["extractor"]) == (ROWS, "e")
    stored.discard("a")
    assert stored.levels() == ["b"]


def test_what_was_read_last_goes_last(tmp_path):
    stored = fill(opened(tmp_path))
    long_ago = datetime.now(UTC) - timedelta(days=40)
    os.utime(stored.folder / "manifest.json", (long_ago.timestamp(),) * 2)
    old = describe_folder(stored.folder)
    assert datetime.fromisoformat(old["used"]) - long_ago < timedelta(seconds=2)
    assert datetime.fromisoformat(old["made"]) - long_ago > timedelta(days=39)
    stored.read("a")
    read = describe_folder(stored.folder) | {"folder": "read"}
    assert datetime.now(UTC) - datetime.fromisoformat(read["used"]) < timedelta(minutes=1)
    both, size = [read, old], old["bytes"]
    assert chosen_for_removal(both, unused=timedelta(days=30)) == [old["folder"]]
    assert chosen_for_removal(both, unused=timedelta(days=50)) == []
    assert chosen_for_removal(both, keep=size) == [old["folder"]]
    assert chosen_for_removal(both, keep=2 * size) == []
    assert chosen_for_removal(both, keep=0) == [old["folder"], "read"]
    assert chosen_for_removal(both) == [old["folder"], "read"]


def test_int8_keeps_a_hundredth_of_each_column_and_survives_damage_and_merging(tmp_path):
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(20, 6)) * [1e-6, 1, 1e3, 0, 1e30, 5]).astype(np.float32)
    stored = FeatureStore(tmp_path).open(key(dtype="int8"), [str(row) for row in range(20)], shard_rows=8)
    with stored.writing():
        for start, end in stored.missing_rows("a"):
            stored.write_shard("a", start, features[start:end])
        before = np.array(stored.read("a"))  # from shards
        stored.complete("a")
    again = FeatureStore(tmp_path).open(key(dtype="int8"), [str(row) for row in range(20)])
    found = again.read("a")  # from one file
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, before)
    assert (np.abs(found - features).max(axis=0) <= np.abs(features).max(axis=0) / 250).all()
    path = again.folder / "a" / "features.npy"
    assert np.load(path).shape == (20 + 3 * 4, 6)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # of a scale
    path.write_bytes(content)
    assert FeatureStore(tmp_path).open(key(dtype="int8"), [str(row) for row in range(20)]).missing_rows("a") == [
        (16, 20)
    ]
