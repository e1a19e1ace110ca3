"""Distances while training: the named preprocessing, real images encoded once, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from ghbench import registry
from ghbench.errors import DataError, FeatureError, UsageError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.imaging import prepare
from ghbench.training.quality import GeneratorQuality

PROBED = 3
"""Images of each set that are encoded again, in another batch, to see that nothing depends on it."""


class Averages:
    """Level `rows`: means of rows of a 6 x 6 image; level `all`: the mean colour."""

    def __init__(self):
        self.seen = 0

    def spec(self):
        return ExtractorSpec(
            name="averages",
            version="1",
            levels=(Level("rows", 6), Level("colour", 3)),
            default_levels=("rows", "colour"),
            preprocessing=Preprocessing(size=(6, 6), resize="crop-bicubic"),
            weights_digest="0" * 64,
            training=TrainingRecord(),
            licence="ours",
        )

    def extract(self, images):
        assert images.shape[1:] == (3, 6, 6)
        self.seen += len(images)
        return {"rows": images.mean(axis=(1, 3)), "colour": images.mean(axis=(2, 3))}


@pytest.fixture
def extractor(monkeypatch):
    """What the registry builds from the spec string `averages`."""
    built = Averages()
    monkeypatch.setattr(registry, "build", lambda kind, spec: {"extractor/averages": built}[f"{kind}/{spec}"])
    return built


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def maker(seed=9, channels=3):
    rng = np.random.default_rng(seed)
    return lambda count: rng.integers(0, 256, (count, channels, 9, 9), dtype=np.uint8)


def test_images_are_prepared_by_the_extractors_own_named_steps(extractor):
    images = noise(6, 3, 8, 10)
    quality = GeneratorQuality("averages", images, images)
    preprocessing = extractor.spec().preprocessing
    prepared = np.stack([prepare(image.transpose(1, 2, 0), preprocessing, "none").image for image in images])
    expected = np.concatenate(list(extractor.extract(prepared).values()), axis=1)
    found = quality._encode(images)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    grey = noise(3, 1, 8, 8)
    assert np.array_equal(quality._encode(grey), quality._encode(np.repeat(grey, 3, axis=1)))


@pytest.mark.parametrize("wrong", [noise(4, 2, 8, 8), noise(4, 3, 8, 8).astype(np.float32)])
def test_other_arrays_are_refused(extractor, wrong):
    with pytest.raises(DataError, match=r"expected uint8 \[N, C, H, W\]"):
        GeneratorQuality("averages", noise(200, 9, 9)).report(lambda count: wrong, 4)


def test_features_that_are_not_finite_are_refused(extractor, monkeypatch):
    nan = {"rows": np.full((200, 6), np.nan), "colour": np.zeros((200, 3))}
    monkeypatch.setattr(
        extractor, "extract", lambda images: {name: values[: len(images)] for name, values in nan.items()}
    )
    with pytest.raises(FeatureError, match="NaN"):
        GeneratorQuality("averages", noise(200, 9, 9)).report(maker(), 100)


def test_generated_noise_is_as_far_from_real_noise_as_real_noise_is(extractor):
    quality = GeneratorQuality("averages", noise(400, 9, 9), noise(300, 9, 9, seed=1), count=300)
    report = quality.report(maker(channels=1), 300)
    alike, floor = report.distances["kid[averages]"], report.floors["kid[averages]"]
    assert abs(alike.value) < 5 * alike.standard_error
    assert abs(floor.value) < 5 * floor.standard_error
    black = quality.report(lambda count: np.zeros((count, 3, 9, 9), np.uint8), 300)
    assert black.distances["kid[averages]"].value > 20 * abs(alike.value)
    assert report.left_out["fd[averages]"] == "300 and 300 images; it needs 5,000 in both sets"


def test_real_images_are_encoded_once(extractor):
    quality = GeneratorQuality("averages", noise(200, 9, 9), noise(150, 9, 9), count=100)
    quality.report(maker(), 100)
    assert extractor.seen == 3 * (100 + PROBED)
    quality.report(maker(), 100)
    assert extractor.seen == 4 * (100 + PROBED)


def test_a_resumed_run_finds_the_real_features_of_the_same_images_only(extractor, tmp_path):
    real, other = noise(120, 9, 9), noise(120, 9, 9, seed=1)
    first = GeneratorQuality("averages", real, other, cache=tmp_path).report(maker(), 120)
    extractor.seen = 0
    again = GeneratorQuality("averages", real, other, cache=tmp_path).report(maker(), 120)
    assert extractor.seen == 120 + PROBED
    assert again == first
    GeneratorQuality("averages", other, real, seed=0, cache=tmp_path).report(maker(), 120)
    assert extractor.seen == 2 * (120 + PROBED)
    GeneratorQuality("averages", real ^ 1, other, cache=tmp_path).report(maker(), 120)
    assert extractor.seen == 4 * (120 + PROBED)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:50])
    assert GeneratorQuality("averages", real, other, cache=tmp_path).report(maker(), 120) == first


def test_one_set_is_divided_into_halves_that_share_no_image(extractor):
    real = np.arange(210, dtype=np.uint8)[:, None, None].repeat(81, axis=1).reshape(210, 9, 9)
    quality = GeneratorQuality("averages", real)
    quality.report(maker(), 100)
    first, second = (set(features[:, 0].round().tolist()) for features in quality._real_features())
    assert len(first) == len(second) == 105
    assert not first & second


def test_fewer_images_are_made_on_the_way_than_at_the_end(extractor):
    asked = []

    def make(count):
        asked.append(count)
        return maker()(count)

    quality = GeneratorQuality("averages", noise(1500, 9, 9), noise(1500, 9, 9, seed=1), count=1200)
    numbers = quality.measure(make, final=False)
    quality.measure(make, final=True)
    assert asked == [1000, 1200]
    assert list(numbers) == [f"kid[averages]{part}" for part in ("", ".error", ".floor", ".floor.error")]


def test_what_cannot_work_is_said_before_anything_is_made(extractor, monkeypatch):
    with pytest.raises(DataError, match=r"\(9, 9\)"):
        GeneratorQuality("averages", noise(9, 9), noise(9, 9))
    with pytest.raises(DataError, match=r"1 images.* 100"):
        GeneratorQuality("averages", noise(200, 9, 9)).report(lambda count: noise(1, 3, 9, 9), 100)
    monkeypatch.setattr(registry, "build", lambda kind, spec: object())
    with pytest.raises(UsageError, match="'thing'"):
        GeneratorQuality("thing", noise(200, 9, 9))
