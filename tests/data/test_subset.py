"""Some rows of a dataset are a dataset: everything that is known of them goes along."""

import pickle

import numpy as np
import pytest

from ghbench.data.grey_images import GreyImages
from ghbench.data.subset import Subset, first_rows
from ghbench.dataset import Dataset, DatasetCard, Target, content_digest, labels
from ghbench.errors import UsageError

CARD = DatasetCard("six", "Six", "CC0-1.0", "", "made here")
SPLITS = {"train": np.array([0, 1, 2, 3]), "test": np.array([4, 5])}


@pytest.fixture(scope="module")
def six():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 4), dtype=np.uint8)
    return GreyImages(CARD, "abcdef", pixels, np.array([0, 1, 2, 0, 1, 2]), ["x", "y", "z"], SPLITS)


def test_rows_keep_their_ids_images_targets_splits_and_identities(six):
    some = Subset(six, [5, 0, 3])
    assert isinstance(some, Dataset)
    assert (len(some), some.ids, some.card()) == (3, ("f", "a", "d"), CARD)
    assert (labels(some).values.tolist(), labels(some).names) == ([2, 0, 0], ("x", "y", "z"))
    assert {name: rows.tolist() for name, rows in some.splits.items()} == {"train": [1, 2], "test": [0]}
    for row, old in enumerate([5, 0, 3]):
        np.testing.assert_array_equal(some.image(row), six.image(old))
        assert some.identities()[row] == six.identities()[old]
        assert some.image_digests()[row] == six.image_digests()[old]


def test_a_subset_of_a_subset_pickles_and_is_digested_like_the_same_rows(six):
    some = Subset(Subset(six, [5, 0, 3]), [2, 0])
    again = pickle.loads(pickle.dumps(some))
    assert content_digest(again) == content_digest(some) == content_digest(Subset(six, [3, 5]))
    assert len({content_digest(Subset(six, rows)) for rows in ([3, 5], [5, 3], [3], range(6))}) == 4
    assert content_digest(Subset(six, range(6))) == content_digest(six)


def test_drawing_asks_the_whole_for_its_own_rows(six):
    asked = []

    class Drawable(GreyImages):
        def draw(self, rows, progress):
            asked.append((rows, progress))

    drawable = Drawable(CARD, "abc", np.zeros((3, 2, 2), np.uint8), np.zeros(3, int), ["x"], {})
    Subset(drawable, [2, 0]).draw([0], print)
    Subset(six, [2, 0]).draw([0], print)
    assert asked == [([2], print)]


def test_the_first_rows_are_all_where_there_are_fewer(six):
    assert first_rows(six, 2).ids == ("a", "b")
    assert len(first_rows(six, 60)) == 6


@pytest.mark.parametrize("rows", [[0, 0], [6], [-1]])
def test_rows_that_are_not_there_or_are_given_twice_are_refused(six, rows):
    with pytest.raises(UsageError, match="rows of 'six': expected each once, from 0 to 5"):
        Subset(six, rows)


def test_targets_of_some_rows_are_worked_out_alone():
    class Costly:
        ids, splits, recipe_digest = tuple("abcde"), {}, None
        asked: list[list[int]] = []  # noqa: RUF012

        def __len__(self):
            return 5

        def card(self):
            return DatasetCard("costly", "Costly", "none", "none", "here")

        def identities(self):
            return self.ids

        def targets_of(self, rows):
            self.asked.append(rows.tolist())
            return {"square": Target("square", rows.astype(float) ** 2, "")}

        @property
        def targets(self):
            raise AssertionError("all rows were asked for")

    part = Subset(Subset(Costly(), [4, 2, 0]), [1, 2])
    assert part.targets["square"].values.tolist() == [4, 0]
    assert Costly.asked == [[2, 0]]
