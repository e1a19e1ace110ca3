"""Features written straight to a store elsewhere: the rows of the local store, resumable, checked at the end."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import fsspec
import numpy as np
import pytest
from tiny_encoder import ROWS, Encoder, key_of, open_features, pictures, run

from ghbench.cli.main import main
from ghbench.errors import DataError, FeatureError, UserError
from ghbench.store import FeatureStore, RemoteStore, remote


@pytest.fixture(params=["memory", "folder"])
def url(request, tmp_path):
    fsspec.filesystem("memory").store.clear()
    return "memory://bucket/features" if request.param == "memory" else str(tmp_path / "elsewhere")


@pytest.fixture
def dataset(tmp_path):
    return pictures(tmp_path / "pictures", copies=[(9, 8), (23, 1)])


def opened(url, dataset, dtype="float32", shard_rows=8):
    return RemoteStore(url).open(key_of(dataset, dtype=dtype), dataset.ids, shard_rows)


def pulled(url, folder):
    return list(remote.pull(FeatureStore(folder / "store"), url, lambda key: True))


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
    np.testing.assert_array_equal(np.stack(list(opened(url, dataset).read("low")))[9], encoded_low(dataset)[9])


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
    change(url, "shard-00000.npy", b"something else")
    with pytest.raises(DataError, match=r"shard-00000\.npy is damaged"):
        run(Encoder(), dataset, opened(url, dataset))
    run(Encoder(), dataset, opened(url, dataset))
    assert len(pulled(url, tmp_path / "theirs")) == 2


def test_a_file_that_is_gone_makes_the_level_incomplete(url, dataset):
    run(Encoder(), dataset, opened(url, dataset))
    change(url, "shard-00003.npy", None)
    stored = opened(url, dataset)
    assert not stored.is_ready("low")
    assert run(Encoder(), dataset, stored) > 0
    assert stored.is_ready("low")


def test_two_that_write_at_once_make_one_level(url, tmp_path, dataset):
    low, (one, other) = encoded_low(dataset), (opened(url, dataset), opened(url, dataset))
    with one.writing(), other.writing():
        for start, end in one.missing_rows("low"):
            (one if start % 16 else other).write_shard("low", start, low[start:end])
            if start == 16:
                other.write_shard("low", start, low[start:end])
        one.complete("low")
        other.complete("low")
    assert len(pulled(url, tmp_path / "theirs")) == 1


def test_what_the_checks_refuse_does_not_become_a_level(url, tmp_path, dataset):
    same = Encoder(change=lambda features, images: {name: 0 * values for name, values in features.items()})
    with pytest.raises(FeatureError, match="different images with identical features"):
        run(same, dataset, opened(url, dataset), ["low"])
    assert not opened(url, dataset).is_ready("low")
    assert run(Encoder(), dataset, opened(url, dataset), ["low"]) == ROWS - 1


def test_levels_and_images_that_differ_are_refused(url, dataset):
    stored, low = opened(url, dataset), encoded_low(dataset)
    with stored.writing():
        stored.write_shard("low", 0, low[:8])
        stored.write_shard("low", 8, low[8:16, :5])
    with pytest.raises(FeatureError, match="192 dimensions, now it has 5"):
        stored.missing_rows("low")
    with pytest.raises(DataError, match="differ in their images"):
        RemoteStore(url).open(key_of(dataset), [*dataset.ids[:-1], "another"])
    with pytest.raises(DataError, match="is not complete"):
        opened(url, dataset).read("high")


def test_a_place_that_cannot_be_written_to_is_named(tmp_path, dataset):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match="the shards so far are kept"):
        run(Encoder(), dataset, opened(str(tmp_path / "file" / "store"), dataset))


def test_the_command_line_takes_one_place(url, tmp_path, dataset, monkeypatch, capfd):
    def ghbench(*arguments):
        monkeypatch.setattr(sys, "argv", ["ghbench", "extract", "-e", "pixels", "--data", data, *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, capfd.readouterr()

    data = f"imagefolder:path={tmp_path / 'pictures'}"
    code, told = ghbench("--into", url, "--device", "cpu")
    assert code == 0, told.err
    assert f"{len(dataset)} rows" in told.out
    assert len(pulled(url, tmp_path / "theirs")) == 1
    code, told = ghbench()
    assert code == 2
    assert "--out FILE, or --into URL" in told.err
