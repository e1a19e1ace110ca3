"""Fashion-MNIST as published: counts, classes, splits, and the same pixels through every door."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from ghbench import assets
from ghbench.data import fashion_mnist
from ghbench.data.fashion_mnist import FashionMnist
from ghbench.data.grey_images import GreyImages
from ghbench.dataset import Dataset, labels
from ghbench.digests import digest_array
from ghbench.errors import DataError, MissingError
from ghbench.locations import offline


@pytest.fixture
def small_copy(tmp_path, monkeypatch):
    """Four files in the published form: 4 training and 2 test images."""
    rng = np.random.default_rng(0)
    for prefix, count in (("train", 4), ("t10k", 2)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        header = struct.pack(">HBB3I", 0, 8, 3, *images.shape)
        (tmp_path / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
        labels = struct.pack(">HBBI", 0, 8, 1, count) + bytes(range(count))
        (tmp_path / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    monkeypatch.setattr(fashion_mnist, "COUNTS", {"train": 4, "test": 2})
    monkeypatch.setattr(assets, "path", lambda name, member=None: tmp_path)
    return tmp_path


def test_it_is_a_dataset_with_two_splits_that_do_not_overlap(small_copy):
    dataset = FashionMnist()
    assert isinstance(dataset, Dataset)
    assert dataset.ids == ("train/00000", "train/00001", "train/00002", "train/00003", "test/00000", "test/00001")
    assert {name: rows.tolist() for name, rows in dataset.splits.items()} == {"train": [0, 1, 2, 3], "test": [4, 5]}
    assert [labels(dataset).names[label] for label in labels(dataset).values[4:]] == ["T-shirt/top", "Trouser"]


def test_image_pixels_and_digests_are_of_the_same_picture(small_copy):
    dataset = FashionMnist()
    image = dataset.image(3)
    assert (image.shape, image.dtype) == ((28, 28, 3), np.uint8)
    assert all(np.array_equal(image[..., channel], dataset.pixels()[3]) for channel in range(3))
    assert dataset.image_digests()[3] == digest_array(image)
    assert len(set(dataset.image_digests())) == 6


def test_nobody_can_change_the_pixels_for_everybody(small_copy):
    with pytest.raises(ValueError, match="read-only"):
        FashionMnist().pixels()[0] = 0


def test_a_split_of_another_size_is_refused_with_what_mends_it(small_copy, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "COUNTS", {"train": 5, "test": 2})
    with pytest.raises(DataError, match=r"the train split .* images \(4, 28, 28\) .* expected \(5, 28, 28\)") as caught:
        FashionMnist()
    assert caught.value.fix == "ghbench assets verify fashion-mnist"


def test_a_label_without_a_name_is_refused():
    with pytest.raises(DataError, match="classes 0 to 2; expected 0 to 1"):
        GreyImages(fashion_mnist.CARD, "abc", np.zeros((3, 2, 2), np.uint8), np.arange(3), ["x", "y"], {})
    with pytest.raises(DataError, match="has 3 images, 2 labels and 3 ids"):
        GreyImages(fashion_mnist.CARD, "abc", np.zeros((3, 2, 2), np.uint8), np.arange(2), ["x", "y"], {})


def test_without_files_and_network_the_error_says_what_mends_it(tmp_path, monkeypatch):
    if any(Path(folder).exists() for folder in assets.get("fashion-mnist").sources[0].folders):
        pytest.skip("Debian's package is installed on this machine")
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("GHBENCH_OFFLINE", "1")
    with pytest.raises(MissingError, match="Fashion-MNIST") as caught:
        FashionMnist()
    assert caught.value.exit_code == 3
    assert "ghbench assets import fashion-mnist PATH" in caught.value.fix


@pytest.mark.network
@pytest.mark.skipif(offline(), reason="GHBENCH_OFFLINE is set")
def test_the_real_one_has_seventy_thousand_different_images_in_balanced_classes():
    try:
        dataset = FashionMnist()
    except MissingError as error:
        pytest.skip(f"no Debian mirror here: {error}")
    assert dataset.pixels().shape == (70_000, 28, 28)
    assert np.bincount(labels(dataset).values[dataset.splits["train"]]).tolist() == [6000] * 10
    assert np.bincount(labels(dataset).values[dataset.splits["test"]]).tolist() == [1000] * 10
    # No image stands twice, neither within a split nor across.
    assert len(set(dataset.image_digests())) == 70_000
    # The first training image is an ankle boot.
    assert labels(dataset).names[labels(dataset).values[0]] == "Ankle boot"
