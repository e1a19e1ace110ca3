"""scikit-learn's digits as a dataset."""

import numpy as np
from sklearn.datasets import load_digits

from ghbench.data.digits import Digits
from ghbench.dataset import labels


def test_rows_are_known_and_alike_in_form():
    digits = Digits()
    assert len(digits) == len(digits.ids) == len(set(digits.ids)) == 1_797
    assert digits.image(3).shape == (8, 8, 3)
    assert len(digits.image_digests()) == 1_797
    assert digits.splits == {}


def test_levels_are_spread_over_all_grey_levels():
    digits, found = Digits(), load_digits()
    np.testing.assert_array_equal(np.round(digits.pixels() / 255 * 16), found.images)
    assert digits.pixels().max() == 255
    np.testing.assert_array_equal(labels(digits).values, found.target)
