"""The trivial baselines are simple enough to compute by hand."""

import numpy as np
import pytest
from ghbench_baselines.pixels import Pixels, Thumbnail

from ghbench import registry
from ghbench.errors import UsageError
from ghbench.extractor import Decoder


def test_pixels_are_the_flattened_image_divided_by_255():
    image = np.arange(12, dtype=np.uint8).reshape(1, 3, 2, 2)
    features = registry.build("extractor", "pixels:size=2").extract(image)["pixels"]
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, np.arange(12)[None] / 255)


def test_a_thumbnail_is_luma_and_a_grey_image_keeps_its_value():
    thumbnail = registry.build("extractor", "thumbnail:size=1")
    pure_red, pure_green, grey = [255, 0, 0], [0, 255, 0], [51, 51, 51]
    images = np.array([pure_red, pure_green, grey], dtype=np.uint8).reshape(3, 3, 1, 1)
    np.testing.assert_allclose(thumbnail.extract(images)["thumbnail"][:, 0], [0.299, 0.587, 0.2], rtol=1e-6)


def test_a_random_projection_nearly_keeps_distances():
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (6, 3, 64, 64), dtype=np.uint8)
    plain = registry.build("extractor", "pixels").extract(images)["pixels"]
    projected = registry.build("extractor", "random-projection").extract(images)["random-projection"]
    assert projected.shape == (6, 512)
    ratio = np.linalg.norm(projected[0] - projected[1:], axis=1) / np.linalg.norm(plain[0] - plain[1:], axis=1)
    np.testing.assert_allclose(ratio, 1, atol=0.15)  # standard deviation 1 / sqrt(2 * 512) = 0.031


def test_seed_and_size_are_part_of_the_digest():
    digests = {
        registry.build("extractor", name).spec().weights_digest
        for name in ("random-projection", "random-projection:seed=1", "random-projection:dim=64", "pixels", "thumbnail")
    }
    assert len(digests) == 5


@pytest.mark.parametrize("spec", ["pixels:size=0", "random-projection:dim=-1", "random-projection:seed=-1"])
def test_options_out_of_range_are_refused(spec):
    with pytest.raises(UsageError, match="must"):
        registry.build("extractor", spec)


def test_pixels_and_thumbnails_are_decoded_to_what_was_encoded():
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), dtype=np.uint8)
    pixels, thumbnail = Pixels(8), Thumbnail(8)
    np.testing.assert_array_equal(pixels.decode(pixels.extract(images)), images)
    grey = np.repeat(images[:, :1], 3, axis=1)
    np.testing.assert_array_equal(thumbnail.decode(thumbnail.extract(grey)), grey)
    assert isinstance(pixels, Decoder)
