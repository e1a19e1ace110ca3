"""Effective rank against closed forms, and the limits of its warning."""

from __future__ import annotations

import tracemalloc
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_encoder import Encoder

from ghbench.data.array_images import ArrayImages
from ghbench.dataset import Target
from ghbench.errors import FeatureError
from ghbench.extraction.checks import check_batch, check_distinct, effective_rank, rank_warning


def with_singular_values(values, rows=80, dim=20):
    """A matrix [rows, dim] of centred columns with these singular values."""
    rng = np.random.default_rng(0)
    tall = rng.normal(size=(rows, len(values)))
    left = np.linalg.qr(tall - tall.mean(axis=0))[0]
    right = np.linalg.qr(rng.normal(size=(dim, len(values))))[0]
    return left * np.asarray(values) @ right.T


@pytest.mark.parametrize("rank", [1, 2, 3, 20])
def test_equal_singular_values_count_themselves(rank):
    assert effective_rank(with_singular_values([2.5] * rank)) == pytest.approx(rank, abs=1e-6)


@given(st.floats(0.01, 0.99))
def test_two_singular_values_give_the_exponential_of_their_entropy(share):
    expected = np.exp(-share * np.log(share) - (1 - share) * np.log(1 - share))
    assert effective_rank(with_singular_values([share, 1 - share])) == pytest.approx(expected, abs=1e-6)


def test_neither_scale_nor_offset_nor_shape_changes_it():
    features = with_singular_values([3, 2, 1], rows=30, dim=50)
    expected = np.exp(-sum(share * np.log(share) for share in (1 / 2, 1 / 3, 1 / 6)))
    for other in (features, 1e-6 * features, features + 7, features.T - features.T.mean(axis=0)):
        assert effective_rank(other) == pytest.approx(expected, abs=1e-2 if other.shape[0] == 50 else 1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e20])
def test_constant_features_have_rank_one_and_not_the_rank_of_rounding(value):
    assert effective_rank(np.full((64, 33), value)) == 1.0


def test_orthonormal_rows_have_rank_one_less_than_their_number():
    assert effective_rank(np.eye(10)) == pytest.approx(9)


def test_the_warning_starts_below_rank_two_and_at_64_images():
    assert rank_warning(with_singular_values([1.0, 0.5], rows=64), "e", "a").startswith(
        "e, level a: effective rank 1.8"
    )
    assert rank_warning(with_singular_values([1.0, 0.5], rows=63), "e", "a") is None
    assert rank_warning(with_singular_values([1.0, 1.0, 0.5], rows=64), "e", "a") is None


def test_equal_images_may_have_equal_features_and_different_ones_may_not():
    features = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 4, 4), dtype=np.uint8)
    with pytest.raises(FeatureError, match="'e', level 'l': rows 0 and 2 "):
        check_distinct(features, ArrayImages(pixels, "different"), "e", "l")
    pixels[2] = pixels[0]
    assert check_distinct(features, ArrayImages(pixels, "one of them twice"), "e", "l") == []


def test_near_duplicates_are_named_and_not_refused():
    features = np.ones((9, 2))
    pixels = np.repeat(np.random.default_rng(0).integers(0, 256, (1, 3, 64, 48), dtype=np.uint8), 9, axis=0)
    pixels[np.arange(9), 0, 0, 0] = np.arange(9)  # one spot differs
    ids = [f"{row}.png" for row in range(9)]
    (warning,) = check_distinct(features, ArrayImages(pixels, "near", ids), "e", "l")
    assert "near-duplicate" in warning
    assert "0.png and 1.png" in warning
    assert warning.endswith(" 3 more")
    pixels[5] = 255 - pixels[5]
    with pytest.raises(FeatureError, match=r"rows 0 and 5 are different images .*: 0\.png and 5\.png"):
        check_distinct(features, ArrayImages(pixels, "near", ids), "e", "l")


def test_a_million_rows_are_compared_in_little_memory():
    rows = np.arange(1_000_000, dtype=np.float32)[:, None]
    rows[999_999] = rows[6]

    class Images:
        ids = range(len(rows))
        targets: ClassVar = {"label": Target("label", np.arange(len(rows)) % 2, "class", ("a", "b"))}

        def identities(self):
            return np.zeros(len(rows), np.uint8)

    images = Images()
    tracemalloc.start()
    (warning,) = check_distinct(rows, images, "e", "l")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert warning == "equal images have different labels: 6 and 999999"
    assert peak < 60e6, "a dictionary takes more than 120 MB"


def test_features_that_float16_made_identical_say_what_to_do():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 4), dtype=np.uint8)
    with pytest.raises(FeatureError, match="identical features") as caught:
        check_distinct(
            np.array([[4096.1], [4096.2]], dtype=np.float16), ArrayImages(pixels, "coarse"), "e", "l", "float16"
        )
    assert "float32" in caught.value.fix


def test_equal_images_under_two_labels_are_named():
    pixels = np.zeros((2, 3, 4, 4), np.uint8)
    dataset = ArrayImages(pixels, "equal", ["a/1.png", "b/1.png"])
    dataset.targets = {"label": Target("label", np.array([0, 1]), "class", ("a", "b"))}
    (warning,) = check_distinct(np.ones((2, 2)), dataset, "e", "l")
    assert warning == "equal images have different labels: a/1.png and b/1.png"


def test_one_image_in_two_files_may_have_equal_features():
    class TwoFormats(ArrayImages):
        def identities(self):
            return ["png", "other", "bmp"]

    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 4, 4), dtype=np.uint8)
    pixels[2] = pixels[0]
    check_distinct(np.array([[1.0], [2.0], [1.0]]), TwoFormats(pixels, "files"), "e", "l")


def test_an_output_squeezed_on_a_batch_of_one_is_told_as_that():
    spec = Encoder().spec()
    with pytest.raises(FeatureError, match="output of one image has lost its first axis") as caught:
        check_batch({"low": np.zeros(192), "high": np.zeros(16)}, spec, [4])
    assert "squeeze" in caught.value.fix
