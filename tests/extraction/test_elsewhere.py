"""Features written straight to a store elsewhere: the rows of the local store, resumable, checked at the end."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import fsspec
import numpy as np
import pytest
from tiny_encoder import ROWS, Encoder, key_of, open_features, pictures, run

from ghbench.cli.main import main
from ghbench.errors import DataError, FeatureError, UserError
from ghbench.store import FeatureStore, RemoteStore, remote


@pytest.fixture
def url(elsewhere):
    return elsewhere


@pytest.fixture
def dataset(tmp_path):
    return pictures(tmp_path / "pictures", copies=[(9, 8), (23, 1)])


def opened(url, dataset, dtype="float32", shard_rows=8):
    return RemoteStore(url).open(key_of(dataset, dtype=dtype), dataset.ids, shard_rows)


def pulled(url, folder):
    return list(remote.pull(FeatureStore(folder / "store"), url, lambda key: True))


def flip(url, name):
    """Change the last byte of a file."""
    system, root = fsspec.core.url_to_fs(url)
    (path,) = system.glob(f"{root}/*/low/{name}")
    content = system.cat_file(path)
    system.pipe_file(path, content[:-1] + bytes([content[-1] ^ 1]))


def change(url, name, content):
    """Replace a file of the store; None removes it."""
    system, root = fsspec.core.url_to_fs(url)
    (path,) = system.glob(f"{root}/*/low/{name}")
    system.rm_file(path) if content is None else system.pipe_file(path, content)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_what_is_pulled_from_there_is_what_is_made_here(url, tmp_path, dataset, dtype):
    local = open_features(tmp_path / "local", dataset, dtype=dtype)
    encoded = run(Encoder(), dataset, local)
    assert run(Encoder(), dataset, opened(url, dataset, dtype)) == encoded
    assert len(pulled(url, tmp_path / "theirs")) == 2
    theirs = open_features(tmp_path / "theirs", dataset, dtype=dtype)
    files = [
        {path.name: path.read_bytes() for path in (stored.folder / "low").glob("*.npy")} for stored in (local, theirs)
    ]
    assert files[0] == files[1]
    assert run(Encoder(), dataset, theirs) == 0
    assert run(Encoder(), dataset, opened(url, dataset, dtype)) == 0, "nothing is missing there either"


@dataclass
class Stops(Encoder):
    """Fails at the sixth batch."""

    def extract(self, images):
        if len(self.calls) == 6:
            raise KeyboardInterrupt
        return super().extract(images)


def test_an_interrupted_extraction_goes_on_and_nobody_sees_half_of_it(url, tmp_path, dataset):
    with pytest.raises(KeyboardInterrupt):
        run(Stops(), dataset, opened(url, dataset))
    assert opened(url, dataset).missing_rows("low") == [(start, start + 8) for start in range(16, ROWS, 8)]
    assert not pulled(url, tmp_path / "theirs")
    change(url, "shard-00001.json", b"{")  # a note cut short
    assert run(Encoder(), dataset, opened(url, dataset)) == ROWS - 8 - 1
    system, root = fsspec.core.url_to_fs(url)
    assert not system.glob(f"{root}/*/low/shard-*.json"), "the notes go once the level is whole"
    np.testing.assert_array_equal(np.stack(list(opened(url, dataset).rows("low")))[9], encoded_low(dataset)[9])


def encoded_low(dataset):
    images = np.stack([dataset.image(row).transpose(2, 0, 1) for row in range(len(dataset))])
    return Encoder().extract(images)["low"]


def test_shards_of_another_shard_size_keep_it(url, dataset):
    with pytest.raises(KeyboardInterrupt):
        run(Stops(), dataset, opened(url, dataset))
    assert opened(url, dataset, shard_rows=20).missing_rows("low")[0] == (16, 24)


def test_a_damaged_shard_is_found_before_the_level_is_whole(url, tmp_path, dataset):
    with pytest.raises(KeyboardInterrupt):
        run(Stops(), dataset, opened(url, dataset))
    flip(url, "shard-00000.npy")
    with pytest.raises(DataError, match=r"shard 0 of .* is damaged"):
        run(Encoder(), dataset, opened(url, dataset))
    assert run(Encoder(), dataset, opened(url, dataset)) == 8
    assert len(pulled(url, tmp_path / "theirs")) == 2


@pytest.mark.parametrize("content", [None, b"cut short"])
def test_a_file_of_a_whole_level_that_is_gone_or_cut_short_is_made_again_alone(url, tmp_path, dataset, content):
    run(Encoder(), dataset, opened(url, dataset))
    change(url, "shard-00003.npy", content)
    stored = opened(url, dataset)
    assert not stored.is_ready("low")
    assert stored.is_ready("high")
    assert run(Encoder(), dataset, stored) == 8
    assert len(pulled(url, tmp_path / "theirs")) == 2


def test_a_whole_level_that_differs_from_its_digests_is_made_again_when_it_is_checked(url, tmp_path, dataset):
    run(Encoder(), dataset, opened(url, dataset))
    flip(url, "shard-00003.npy")
    with pytest.raises(DataError, match="is damaged"):
        pulled(url, tmp_path / "theirs")
    assert [path.name for path in (tmp_path / "theirs").rglob("level.json")] == ["level.json"], "the other one came"
    stored = opened(url, dataset)
    assert (stored.check("low"), stored.check("high")) == (1, 0)
    assert run(Encoder(), dataset, stored) == 8
    assert len(pulled(url, tmp_path / "theirs")) == 1


def test_a_shard_that_was_made_again_counts_once_the_level_names_it(url, tmp_path, dataset):
    run(Encoder(), dataset, opened(url, dataset))
    change(url, "shard-00003.npy", None)
    stored = opened(url, dataset)
    with stored.writing():
        stored.write_shard("low", 24, 2 * encoded_low(dataset)[24:32])  # and its writer is killed
    assert (stored.is_ready("low"), stored.missing_rows("low")) == (False, [])
    assert run(Encoder(), dataset, opened(url, dataset)) == 0, "the last check was missing"
    assert len(pulled(url, tmp_path / "theirs")) == 2


def test_what_was_pushed_is_there_and_can_be_checked_and_completed(url, tmp_path, dataset):
    local = open_features(tmp_path / "local", dataset)
    run(Encoder(), dataset, local, ["low"])
    list(remote.push(FeatureStore(local.folder.parent), url, lambda key: True))
    stored = opened(url, dataset)
    assert (stored.is_ready("low"), stored.check("low")) == (True, 0)
    assert run(Encoder(), dataset, stored) == ROWS - 1, "for the other level"
    flip(url, "features.npy")
    assert stored.check("low") == 1
    assert run(Encoder(), dataset, stored) == 8
    assert len(pulled(url, tmp_path / "theirs")) == 2


def test_two_that_write_at_once_make_one_level_and_nobody_writes_what_is_there(url, tmp_path, dataset):
    low, (one, other) = encoded_low(dataset), (opened(url, dataset), opened(url, dataset))
    with one.writing(), other.writing():
        for start, end in one.missing_rows("low"):
            one.write_shard("low", start, low[start:end])
            other.write_shard("low", start, -low[start:end])
        one.complete("low")
        other.write_shard("low", 8, -low[8:16])
        other.complete("low")
    assert len(pulled(url, tmp_path / "theirs")) == 1
    np.testing.assert_array_equal(open_features(tmp_path / "theirs", dataset).read("low"), low)


def test_what_the_checks_refuse_does_not_become_a_level(url, tmp_path, dataset):
    same = Encoder(change=lambda features, images: {name: 0 * values for name, values in features.items()})
    with pytest.raises(FeatureError, match="different images with identical features"):
        run(same, dataset, opened(url, dataset), ["low"])
    assert not opened(url, dataset).is_ready("low")
    assert run(Encoder(), dataset, opened(url, dataset), ["low"]) == ROWS - 1


def test_levels_and_images_that_differ_are_refused_before_anything_is_written(url, dataset):
    stored, low = opened(url, dataset), encoded_low(dataset)
    with stored.writing():
        stored.write_shard("low", 0, low[:8])
        assert len(stored.missing_rows("low")) == ROWS / 8 - 1
        with pytest.raises(FeatureError, match="192 dimensions, now it has 5"):
            stored.write_shard("low", 8, low[8:16, :5])
    assert len(opened(url, dataset).missing_rows("low")) == ROWS / 8 - 1
    with pytest.raises(DataError, match="differ in their images"):
        RemoteStore(url).open(key_of(dataset), [*dataset.ids[:-1], "another"])
    with pytest.raises(DataError, match="is not complete"):
        opened(url, dataset).rows("high")
    with pytest.raises(DataError, match="invalid level name"):
        stored.is_ready("../high")


@pytest.mark.parametrize("field", [{"level": "../../victim"}, {"schema_version": 2}])
def test_manifests_of_other_levels_and_versions_count_for_nothing(url, dataset, field):
    run(Encoder(), dataset, opened(url, dataset))
    system, root = fsspec.core.url_to_fs(url)
    (path,) = system.glob(f"{root}/*/low/level.json")
    system.pipe_file(path, json.dumps(json.loads(system.cat_file(path)) | field).encode())
    assert not opened(url, dataset).is_ready("low")
    assert len(opened(url, dataset).missing_rows("low")) == ROWS / 8


def test_a_place_that_cannot_be_written_to_is_named(tmp_path, dataset):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match="NotADirectoryError"):
        run(Encoder(), dataset, opened(str(tmp_path / "file" / "store"), dataset))


def test_the_command_line_takes_one_place(url, tmp_path, dataset, monkeypatch, capfd):
    def ghbench(*arguments):
        monkeypatch.setattr(sys, "argv", ["ghbench", "extract", "-e", "pixels", "--data", data, *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, capfd.readouterr()

    data = f"imagefolder:path={tmp_path / 'pictures'}"
    for more in ((), (), ("--force",)):
        code, told = ghbench("--into", url, "--device", "cpu", *more)
        assert code == 0, told.err
        assert f"{len(dataset)} rows" in told.out
    assert len(pulled(url, tmp_path / "theirs")) == 1
    code, told = ghbench()
    assert code == 2
    assert "--out FILE, or --into URL" in told.err
