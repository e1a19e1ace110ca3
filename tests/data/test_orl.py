"""The AT&T faces as they must be, whatever copy they come from."""

from __future__ import annotations

import numpy as np

from ghbench.dataset import Dataset, labels


def test_forty_people_ten_pictures_in_numeric_order(orl):
    assert isinstance(orl, Dataset)
    assert len(orl) == 400
    assert orl.ids[:2] == ("s01/01", "s01/02")
    assert (orl.ids[9], orl.ids[10], orl.ids[-1]) == ("s01/10", "s02/01", "s40/10")
    assert list(labels(orl).names) == [f"s{person}" for person in range(1, 41)]
    assert np.array_equal(labels(orl).values, np.repeat(np.arange(40), 10))


def test_pictures_are_112_x_92_grey_and_all_different(orl):
    image = orl.image(0)
    assert (image.shape, image.dtype) == ((112, 92, 3), np.uint8)
    assert np.ptp(image, axis=-1).max() == 0
    assert len(set(orl.image_digests())) == 400


def test_the_card_says_what_the_source_says(orl):
    card = orl.card()
    assert card.licence == "no explicit licence; courtesy of AT&T Laboratories Cambridge"
    assert "Samaria" in card.citation
    assert "1994" in card.citation
