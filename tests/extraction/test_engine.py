"""The extraction loop: the dataset's order, each different image once, patience with memory, and honest refusals."""

from __future__ import annotations

import pickle
from threading import Barrier, get_ident

import numpy as np
import pytest
from PIL import Image
from tiny_encoder import PROBED, ROWS, SIDE, Encoder, open_features, pictures, run

from ghbench.cores import one_core_left_over, usable_cores
from ghbench.errors import DataError, FeatureError, PluginError, UsageError
from ghbench.extraction import ExtractionOptions, ShardEncoder, commit_shard, encode_images, plan_extraction
from ghbench.extraction.finish import finish_level


def pixels_of(dataset):
    rows = [dataset.image(row).transpose(2, 0, 1).reshape(-1) for row in range(len(dataset))]
    return np.stack(rows).astype(np.float32) / 255


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batch_size", [3, 64])
def test_rows_are_in_the_datasets_order(tmp_path, dataset, workers, batch_size):
    stored = open_features(tmp_path, dataset)
    assert run(Encoder(), dataset, stored, workers=workers, batch_size=batch_size) == ROWS
    np.testing.assert_array_equal(stored.read("low"), pixels_of(dataset))


def test_the_flipped_view_is_the_mirrored_picture(tmp_path, dataset):
    stored = open_features(tmp_path, dataset, view="flipped")
    run(Encoder(), dataset, stored, ["low"])
    pictured = stored.read("low").reshape(-1, 3, SIDE, SIDE)
    np.testing.assert_array_equal(pictured[..., ::-1].reshape(ROWS, -1), pixels_of(dataset))


def test_what_is_there_is_not_made_again(tmp_path, dataset):
    run(Encoder(), dataset, open_features(tmp_path, dataset))
    encoder = Encoder()
    assert run(encoder, dataset, open_features(tmp_path, dataset)) == 0
    assert encoder.calls == []


def test_other_levels_asked_for_later_are_the_only_ones_written(tmp_path, dataset):
    stored = open_features(tmp_path, dataset)
    run(Encoder(), dataset, stored, ["low"])
    assert stored.levels() == ["low"]
    before = {path.name: path.stat().st_mtime_ns for path in (stored.folder / "low").iterdir()}
    assert run(Encoder(), dataset, open_features(tmp_path, dataset)) == ROWS
    assert {path.name: path.stat().st_mtime_ns for path in (stored.folder / "low").iterdir()} == before
    assert stored.levels() == ["high", "low"]


@pytest.mark.parametrize("message", ["CUDA out of memory", "DefaultCPUAllocator: can't allocate memory", "bad_alloc"])
def test_batches_are_halved_until_they_fit(tmp_path, dataset, message):
    def small_memory(features, images):
        if len(images) > 3:
            raise RuntimeError(message)
        return features

    encoder = Encoder(small_memory)
    stored = open_features(tmp_path, dataset, shard_rows=16)
    run(encoder, dataset, stored, ["low"], batch_size=16)
    assert encoder.calls[:4] == [16, 8, 4, 2]
    assert max(encoder.calls[3:]) == 2, "once found, the size that fits is kept"
    np.testing.assert_array_equal(stored.read("low"), pixels_of(dataset))


def test_no_memory_for_a_single_image_is_the_extractors_error(tmp_path, dataset):
    def no_memory(_features, _images):
        raise MemoryError

    with pytest.raises(PluginError, match="'tiny' runs out of memory with a single image"):
        run(Encoder(no_memory), dataset, open_features(tmp_path, dataset))


def test_an_image_that_stands_twice_in_a_shard_is_encoded_once(tmp_path):
    # Row 1 is copied within its shard; row 2 only into later shards, which know nothing of each other.
    dataset = pictures(tmp_path / "pictures", 40, copies=[(5, 1), (17, 2), (39, 2)])
    encoder = Encoder()
    stored = open_features(tmp_path, dataset)
    assert run(encoder, dataset, stored) == sum(encoder.calls) - PROBED == 39
    np.testing.assert_array_equal(stored.read("low"), pixels_of(dataset))


def test_shards_can_be_pickled_encoded_apart_and_committed_in_any_order(tmp_path, dataset):
    whole, apart = open_features(tmp_path / "whole", dataset), open_features(tmp_path / "apart", dataset)
    run(Encoder(), dataset, whole)
    encoder = Encoder()
    with apart.writing():
        plan = pickle.loads(pickle.dumps(plan_extraction(encoder.spec(), dataset, apart, ["low", "high"], "none", 4)))
        assert len(plan.shards) == 5
        for shard in reversed(plan.shards):  # each by an encoder of its own, as on another machine
            made = ShardEncoder(encoder, plan).encode(pickle.loads(pickle.dumps(shard)))
            commit_shard(apart, pickle.loads(pickle.dumps(made)))
        for level in plan.levels:
            finish_level(apart, level, "tiny", dataset)
    for level in ("low", "high"):
        np.testing.assert_array_equal(apart.read(level), whole.read(level))


def test_features_can_be_had_without_a_store(dataset):
    encoder = Encoder()
    features = encode_images(encoder, encoder.spec(), dataset, ["low"], ExtractionOptions(workers=0, device="cpu"))
    np.testing.assert_array_equal(features["low"], pixels_of(dataset))


def test_copies_are_right_where_levels_lack_different_shards(tmp_path):
    dataset = pictures(tmp_path / "pictures", 40, copies=[(17, 2), (39, 2), (30, 20)])
    stored = open_features(tmp_path, dataset)
    run(Encoder(), dataset, stored)
    whole = {level: np.array(stored.read(level)) for level in ("low", "high")}
    for level, rows in {"low": [16], "high": [0, 32]}.items():
        spoiled = np.lib.format.open_memmap(stored.folder / level / "features.npy", "r+")
        spoiled[rows] += 1
        spoiled.flush()
    assert open_features(tmp_path, dataset).missing_rows("low") == [(16, 24)]
    assert open_features(tmp_path, dataset).missing_rows("high") == [(0, 8), (32, 40)]
    run(Encoder(), dataset, open_features(tmp_path, dataset))
    again = open_features(tmp_path, dataset)
    for level, values in whole.items():
        np.testing.assert_array_equal(again.read(level), values)


def spoilt(level, values):
    return lambda features, _images: {**features, level: values(features[level])}


def with_value(value):
    def spoil(values):
        values[1, 2] = value
        return values

    return spoil


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoilt("high", with_value(np.nan)), r"extractor 'tiny', level 'high': NaN or Inf, rows 1"),
        (spoilt("low", with_value(-np.inf)), r"extractor 'tiny', level 'low': NaN or Inf, rows 1"),
        (spoilt("high", lambda values: values[:, :3]), r"level 'high': shape \(4, 3\) for rows 0 to 3; expected"),
        (spoilt("high", lambda values: values[:2]), r"shape \(2, 16\) for rows 0 to 3; expected \(4, 16\)"),
        (spoilt("high", lambda values: values.astype(int)), r"level 'high': dtype int64; expected floating"),
        (lambda features, _: {"low": features["low"]}, r"'tiny' returned no level 'high', which its spec promises"),
        (lambda features, _: features["low"], r"'tiny' returned ndarray; expected a dict by level"),
        (spoilt("low", np.ones_like), r"'tiny', level 'low': rows 0 and 1 are different images with identical"),
    ],
)
def test_unusable_features_are_refused_with_the_extractor_and_the_rows(tmp_path, dataset, change, message):
    with pytest.raises(FeatureError, match=message):
        run(Encoder(change), dataset, open_features(tmp_path, dataset))


def test_refused_features_are_not_kept(tmp_path, dataset):
    stored = open_features(tmp_path, dataset)
    with pytest.raises(FeatureError, match="identical features"):
        run(Encoder(spoilt("low", np.ones_like)), dataset, stored)
    assert stored.levels() == ["high"]
    run(Encoder(), dataset, open_features(tmp_path, dataset))
    assert open_features(tmp_path, dataset).is_complete("low")


def test_numbers_too_large_for_float16_are_refused(tmp_path, dataset):
    stored = open_features(tmp_path, dataset, dtype="float16")
    with pytest.raises(FeatureError, match=r"row 1 holds 1e\+06, too large for float16"):
        run(Encoder(spoilt("high", with_value(1e6))), dataset, stored, ["high"])


def test_features_on_a_line_are_a_recorded_warning(tmp_path):
    dataset = pictures(tmp_path / "pictures", 64)
    line = spoilt("high", lambda values: values[:, :1] * np.arange(1, 17, dtype=np.float32))
    stored = open_features(tmp_path, dataset)
    run(Encoder(line), dataset, stored)
    assert stored.warnings("low") == []
    assert stored.warnings("high") == [
        "tiny, level high: effective rank 1.00 over 64 images; the features have collapsed"
    ]
    assert open_features(tmp_path, dataset).warnings("high") == stored.warnings("high")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_picture_is_named_without_a_traceback(tmp_path, dataset, workers):
    dataset.image_digests()
    path = dataset.entries[9].path
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"0009\.png cannot be decoded") as caught:
        run(Encoder(), dataset, open_features(tmp_path, dataset), workers=workers)
    assert "Traceback" not in str(caught.value)


def test_seconds_include_waiting_for_pictures(tmp_path, dataset, monkeypatch):
    import time

    image = dataset.image

    def slow(row):
        time.sleep(0.002)
        return image(row)

    monkeypatch.setattr(dataset, "image", slow)
    stored = open_features(tmp_path, dataset)
    run(Encoder(), dataset, stored)
    assert all(note.seconds >= 8 * 0.002 for note in stored.notes("low"))


def test_progress_counts_different_images(tmp_path):
    dataset = pictures(tmp_path / "pictures", 12, copies=[(7, 0)])
    seen = []
    run(Encoder(), dataset, open_features(tmp_path, dataset), progress=lambda *report: seen.append(report))
    assert seen[-1] == (11, 11, "tiny on imagefolder")
    assert [done for done, _, _ in seen] == sorted({done for done, _, _ in seen})


def test_a_device_that_is_not_there_is_a_usage_error(tmp_path, dataset):
    class Movable(Encoder):
        def to(self, device):
            raise AssertionError(f"no {device}")

    with pytest.raises(UsageError, match="cuda:7"):
        run(Movable(), dataset, open_features(tmp_path, dataset), device="cuda:7")


def test_torch_leaves_one_core_over_and_gets_it_back(monkeypatch):
    torch = pytest.importorskip("torch")
    from ghbench import cores

    before = torch.get_num_threads()
    monkeypatch.setattr(cores, "usable_cores", lambda: 8)
    torch.set_num_threads(8)
    try:
        with one_core_left_over():
            assert torch.get_num_threads() == 7
        assert torch.get_num_threads() == 8
    finally:
        torch.set_num_threads(before)
    assert usable_cores() >= 1


@pytest.fixture
def three_threads(monkeypatch):
    """Torch computes with three threads, and has as many as before afterwards."""
    torch = pytest.importorskip("torch")
    from ghbench import cores

    before = torch.get_num_threads()
    monkeypatch.setattr(cores, "usable_cores", lambda: 4)
    torch.set_num_threads(4)
    yield
    assert torch.get_num_threads() == 4
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_batches_are_computed_at_once_in_the_datasets_order(tmp_path):
    import torch

    dataset, together, seen = pictures(tmp_path / "some", 36), Barrier(3, timeout=30), set()

    def slow(features, images):
        if len(images) == 4:
            together.wait()
        seen.add((get_ident(), torch.get_num_threads()))
        return features

    encoder = Encoder(slow)
    encoder.concurrent = True
    stored = open_features(tmp_path, dataset, shard_rows=36)
    run(encoder, dataset, stored, ["low"], batch_size=4)
    np.testing.assert_array_equal(stored.read("low"), pixels_of(dataset))
    assert len({thread for thread, _ in seen}) == 4  # the main one encodes a few images again
    assert {threads for _, threads in seen} == {1}


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_what_a_batch_raises_among_others_ends_the_extraction(tmp_path, dataset, error):
    def broken(_features, _images):
        raise error

    encoder = Encoder(broken)
    encoder.concurrent = True
    with pytest.raises(PluginError if isinstance(error, ValueError) else KeyboardInterrupt):
        run(encoder, dataset, open_features(tmp_path, dataset), batch_size=4)


def test_grey_pictures_come_as_three_channels(tmp_path):
    folder = tmp_path / "grey"
    folder.mkdir()
    for row in range(3):
        Image.new("L", (SIDE, SIDE), 40 * row).save(folder / f"{row}.png")
    from ghbench.data.imagefolder import ImageFolder

    dataset = ImageFolder(folder)
    stored = open_features(tmp_path, dataset)
    run(Encoder(), dataset, stored, ["low"])
    np.testing.assert_allclose(stored.read("low"), np.repeat([[0.0], [40 / 255], [80 / 255]], 3 * SIDE * SIDE, axis=1))


@pytest.mark.parametrize("spoil", ["chance", "batch"])
def test_features_that_do_not_depend_on_the_image_alone_are_refused(tmp_path, spoil):
    rng = np.random.default_rng(0)

    def change(features, _images):
        other = {"chance": lambda x: rng.normal(size=x.shape), "batch": lambda x: x - x.mean(axis=0)}[spoil]
        return {level: other(values).astype(np.float32) for level, values in features.items()}

    dataset = pictures(tmp_path / "pictures")
    with pytest.raises(FeatureError, match=r"extractor 'tiny', level 'low': rows .* encoded again in another batch"):
        run(Encoder(change), dataset, open_features(tmp_path, dataset))
