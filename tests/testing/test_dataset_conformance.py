"""The kit for datasets, on eight pictures that keep the contract and on some that break a sentence of it."""

import numpy as np
import pytest
from test_task_conformance import EightPictures

from ghbench.dataset import DatasetCard, Target
from ghbench.testing import ConformanceError, check_dataset


class Unlicensed(EightPictures):
    def card(self):
        return DatasetCard("eight", "Eight pictures", "", "none", "made here")


class Grey(EightPictures):
    def image(self, row):
        return super().image(row)[:, :, 0]


class Floats(EightPictures):
    def image(self, row):
        return super().image(row) / 255


class ByTurn(EightPictures):
    def __init__(self):
        super().__init__()
        self.turn = -1

    def image(self, row):
        self.turn = (self.turn + 1) % 8
        return self.pixels[self.turn]


class Noisy(EightPictures):
    def image(self, row):
        return self.pixels[row] ^ np.random.default_rng().integers(0, 2, self.pixels[row].shape, dtype=np.uint8)


class Writable(EightPictures):
    """What a reader scribbles into an image is there the next time."""

    def image(self, row):
        return self.pixels[row]


class Overlapping(EightPictures):
    def __init__(self):
        super().__init__()
        self.splits = {"train": np.arange(5), "test": np.arange(4, 8)}


class BeyondTheEnd(EightPictures):
    def __init__(self):
        super().__init__()
        self.splits = {"test": np.arange(9)}


class TwoAlike(EightPictures):
    def identities(self):
        return ["same", "same", *super().identities()[2:]]


class Restless(EightPictures):
    def identities(self):
        return [f"{one}{np.random.default_rng().random()}" for one in super().identities()]


class OfThisMachine(EightPictures):
    ids = tuple(f"/home/me/{row}.png" for row in range(8))


class TwiceTheId(EightPictures):
    ids = ("picture",) * 8


class FewLabels(EightPictures):
    def __init__(self):
        super().__init__()
        self.targets = {"label": self.targets["label"].rows(np.arange(4))}


class Unitless(EightPictures):
    def __init__(self):
        super().__init__()
        self.targets = {"pose": Target("pose", np.zeros((8, 3)), "")}


class Infinite(EightPictures):
    def __init__(self):
        super().__init__()
        self.targets = {"pose": Target("pose", np.full((8, 3), np.inf), "radians")}


class Unpicklable(EightPictures):
    def __init__(self):
        super().__init__()
        self.read = lambda row: self.pixels[row]


def test_an_honest_dataset_passes_and_gives_its_card():
    assert check_dataset(EightPictures(), EightPictures()).name == "eight"


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        (Unlicensed, "licence is ''"),
        (Grey, r"is not uint8 \[H, W, 3\]"),
        (Floats, r"is not uint8 \[H, W, 3\]"),
        (ByTurn, "in another order"),
        (Noisy, "in another order"),
        (Writable, "another one when it is read again"),
        (Overlapping, "shares rows with another one"),
        (BeyondTheEnd, "leaves the rows"),
        (TwoAlike, "rows 0 and 1 have one identity and different images"),
        (Restless, "asked again, it has other identities"),
        (OfThisMachine, "is a path of this machine"),
        (TwiceTheId, "an id is there twice"),
        (FewLabels, "has 4 entries, not 8"),
        (Unitless, "has no unit"),
        (Infinite, "an infinite number"),
        (Unpicklable, "cannot be pickled"),
    ],
)
def test_a_broken_dataset_is_told_which_promise_it_breaks(dataset, sentence):
    with pytest.raises(ConformanceError, match=sentence):
        check_dataset(dataset())


def test_made_again_it_must_be_the_same():
    other = EightPictures()
    other.pixels = other.pixels[::-1]
    with pytest.raises(ConformanceError, match="made again, it has other identities"):
        check_dataset(EightPictures(), other)
    with pytest.raises(ConformanceError, match="lacks an attribute"):
        check_dataset(object())
