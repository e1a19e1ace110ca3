"""The kit passes what keeps the contract, and names the sentence that a broken plugin breaks."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.testing import ConformanceError, check_extractor, pictures


class Means:
    """The mean colour: as simple as an honest extractor can be."""

    def spec(self):
        return ExtractorSpec(
            name="means",
            version="1",
            levels=(Level("mean", 3),),
            default_levels=("mean",),
            preprocessing=Preprocessing(size=(16, 16)),
            weights_digest="0" * 64,
            training=TrainingRecord(),
            licence="none",
        )

    def extract(self, images):
        return {"mean": images.mean(axis=(2, 3)).astype(np.float32)}


class BatchNormalised(Means):
    def extract(self, images):
        features = super().extract(images)["mean"]
        return {"mean": features - features.mean(axis=0)}


class Sorted(Means):
    def extract(self, images):
        return {"mean": np.sort(super().extract(images)["mean"], axis=0)}


class Overwriting(Means):
    def extract(self, images):
        result = super().extract(images)
        images[:] = 0
        return result


class Forgetful(Means):
    def __init__(self):
        self.rng = np.random.default_rng(0)

    def extract(self, images):
        return {"mean": super().extract(images)["mean"] + self.rng.normal(size=(len(images), 3))}


class Reusing(Means):
    def __init__(self):
        self.buffer = np.zeros((8, 3), dtype=np.float32)

    def extract(self, images):
        self.buffer[: len(images)] = super().extract(images)["mean"]
        return {"mean": self.buffer[: len(images)]}


class Whole(Means):
    def extract(self, images):
        return {"mean": super().extract(images)["mean"].astype(np.int64)}


class Wide(Means):
    def extract(self, images):
        return {"mean": np.repeat(super().extract(images)["mean"], 2, axis=1)}


class Undeclared(Means):
    def extract(self, images):
        return {**super().extract(images), "extra": np.zeros((len(images), 1), np.float32)}


class NotFinite(Means):
    def extract(self, images):
        return {"mean": np.full((len(images), 3), np.nan, np.float32)}


class Drifting(Means):
    def __init__(self):
        self.version = 0

    def spec(self):
        self.version += 1
        return replace(super().spec(), version=str(self.version))


class Locked(Means):
    def __init__(self):
        self.lock = threading.Lock()


class Unsafe(Means):
    """Two threads share what they work on."""

    def __init__(self):
        self.images = None

    def extract(self, images):
        self.images = images
        time.sleep(0.01)
        return super().extract(self.images)


class NoGrey(Means):
    def extract(self, images):
        features = super().extract(images)["mean"]
        return {"mean": features / np.ptp(images.reshape(len(images), -1), axis=1)[:, None]}


class Unaligned(Means):
    def spec(self):
        return replace(super().spec(), preprocessing=Preprocessing(size=(16, 16), align="by-hand"))


class NoDigest(Means):
    def spec(self):
        return replace(super().spec(), weights_digest="secret")


class Unable:
    def spec(self):
        return Means().spec()


def test_an_honest_extractor_passes_and_its_spec_comes_back():
    assert check_extractor(Means()) == Means().spec()


@pytest.mark.parametrize(
    ("extractor", "sentence"),
    [
        (BatchNormalised, "features depend on the batch size"),
        (Sorted, "rows do not follow the order of the images"),
        (Overwriting, "changed its input"),
        (Forgetful, "the same images give other features the next time"),
        (Reusing, "rows do not follow|overwrote the arrays|depend on the batch size"),
        (Whole, "dtype int64 is no floating type"),
        (Wide, r"shape \(8, 6\), expected \(8, 3\)"),
        (Undeclared, "declared are"),
        (NotFinite, "NaN or Inf"),
        (Drifting, "pickled, it has another spec"),
        (Locked, "cannot be pickled"),
        (Unsafe, "while another thread extracts"),
        (NoGrey, "NaN or Inf"),
        (Unaligned, "preprocessing: .*by-hand"),
        (NoDigest, "no hexadecimal sha256"),
        (Unable, "none of the abilities"),
    ],
)
def test_a_broken_extractor_is_told_which_promise_it_breaks(extractor, sentence):
    with pytest.raises(ConformanceError, match=sentence):
        check_extractor(extractor())


def test_pictures_are_made_from_their_seed_and_no_two_are_alike():
    first = pictures((20, 30))
    assert first.shape == (8, 3, 20, 30)
    assert len(np.unique(first.reshape(8, -1), axis=0)) == 8
    np.testing.assert_array_equal(first, pictures((20, 30)))
    assert (first[0] == first[0, :1]).all(), "the first one is grey"
