"""Resize steps keep aspect or fill the frame as their names say, and lose no pixel when they shrink."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghbench.errors import UsageError
from ghbench.imaging import RESIZES, resize_step
from ghbench.imaging.resize import centred_crop


def test_the_declared_size_of_the_same_picture_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (112, 92, 3), dtype=np.uint8)
    for step in RESIZES.values():
        assert np.array_equal(step.apply(image, (112, 92)), image)


def test_crop_takes_the_centre_and_squash_the_whole():
    image = np.zeros((30, 10, 3), np.uint8)
    image[10:20] = 255
    assert (resize_step("crop-bilinear").apply(image, (10, 10)) == 255).all()
    assert (resize_step("crop-bicubic").apply(image, (10, 10)) == 255).all()
    squashed = resize_step("squash-bilinear").apply(image, (10, 10))
    assert squashed[0].max() == 0
    assert squashed[5].min() == 255


@pytest.mark.parametrize("name", RESIZES)
def test_shrinking_is_antialiased(name):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(resize_step(name).apply(stripes, (8, 8))[:, 1:-1].astype(int) - 100).max() <= 2


@given(
    height=st.floats(1, 5000),
    width=st.floats(1, 5000),
    aspect=st.floats(0.05, 20),
    x=st.floats(0, 900),
    y=st.floats(0, 9),
)
def test_the_crop_is_the_largest_one_inside_and_centred(height, width, aspect, x, y):
    box = (x, y, x + width, y + height)
    left, top, right, bottom = centred_crop(box, aspect)
    assert left >= x
    assert top >= y
    assert right <= box[2]
    assert bottom <= box[3]
    assert (bottom - top) == pytest.approx((right - left) * aspect, rel=1e-6)
    assert (right - left) == pytest.approx(width, rel=1e-6) or (bottom - top) == pytest.approx(height, rel=1e-6)
    assert (left + right) / 2 == pytest.approx(x + width / 2, rel=1e-6)
    assert (top + bottom) / 2 == pytest.approx(y + height / 2, rel=1e-6)


def test_an_unknown_step_is_an_error_with_a_suggestion():
    with pytest.raises(UsageError, match="did you mean 'crop-bilinear'"):
        resize_step("crop-bilinaer")


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("shortest-20-nearest", 2),
        ("shortest-20-nearest-floor", 2),
        ("squash-23x20-nearest", 2),
        ("squash-23x20-nearest-floor", 1),
    ],
)
def test_numbered_steps_resize_to_whole_pixels_and_crop_the_centre(name, rows):
    image = np.repeat(np.arange(24, dtype=np.uint8)[:, None, None], 20, axis=1).repeat(3, axis=2)
    step = resize_step(name)
    cropped = step.apply(image, (20, 20))
    assert cropped.shape == (20, 20, 3)
    assert cropped[0, 0, 0] == rows
    # The point of the first kept row comes out at the top.
    x, y = step.transform(image.shape, (20, 20)) @ np.array([0.0, rows * 24 / (23 if "23" in name else 24), 1.0])
    assert (x, y) == pytest.approx((0, 0))


@pytest.mark.parametrize(
    "name", ["shortest-0-nearest", "shortest-20-fast", "squash-20-nearest", "shortest-20", "tile-box"]
)
def test_steps_that_no_rule_names_are_refused(name):
    with pytest.raises(UsageError, match="no resize step"):
        resize_step(name)


def test_a_crop_larger_than_the_resized_image_is_refused():
    with pytest.raises(UsageError, match="too few"):
        resize_step("shortest-8-box").apply(np.zeros((10, 10, 3), np.uint8), (9, 9))
