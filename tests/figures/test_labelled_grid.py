"""Grids of images with labelled rows and columns."""

import numpy as np
import pytest

from ghbench.figures.labelled_grid import GAP, SMALLEST, Row, labelled_grid

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 130, 130, 3), dtype=np.uint8)


def corner(grid, rows, columns):
    """Where the first cell begins, from the grid's lower right end."""
    return grid.shape[0] - rows * (130 + GAP), grid.shape[1] - columns * (130 + GAP)


def test_images_are_in_their_cells_and_empty_cells_are_white():
    grid = labelled_grid(["one", "two"], [Row("above", IMAGES[:2]), Row("below", [None, IMAGES[2]])])
    top, left = corner(grid, 2, 2)
    step = 130 + GAP
    np.testing.assert_array_equal(grid[top : top + 130, left : left + 130], IMAGES[0])
    np.testing.assert_array_equal(grid[top + step : top + step + 130, left + step : left + step + 130], IMAGES[2])
    assert (grid[top + step :, left : left + step] == 255).all()
    assert (grid[:top, left:] < 100).any()
    assert (grid[top:, :left] < 100).any()


def test_small_images_are_enlarged_by_repeating_pixels():
    small = RNG.integers(0, 256, (10, 10, 3), dtype=np.uint8)
    grid = labelled_grid(["a"], [Row("b", [small])])
    side = 10 * -(-SMALLEST // 10)
    np.testing.assert_array_equal(grid[-GAP - side : -GAP : side // 10, -GAP - side : -GAP : side // 10], small)


def test_letters_that_the_font_lacks_are_replaced_not_drawn_as_boxes():
    def drawn(label):
        return labelled_grid([label], [Row(label, IMAGES[:1])])

    np.testing.assert_array_equal(drawn("J\u00fcrgen"), drawn("Jurgen"))
    np.testing.assert_array_equal(drawn("\u0416"), drawn("?"))


@pytest.mark.parametrize("label", ["a name " * 30, "x" * 300, "", "\u00e9\u4e2d\n2"])
def test_no_label_overlaps_its_neighbours(label):
    grid = labelled_grid([label, label], [Row(label, IMAGES[:2])])
    assert grid.shape[1] <= 2 * (130 + GAP) + 160
    top, left = corner(grid, 1, 2)
    assert (grid[:top, left + 130 : left + 130 + GAP] == 255).all()


def test_equal_images_give_equal_pixels():
    grids = [labelled_grid(["a"], [Row("b", IMAGES[:1])]) for _ in range(2)]
    np.testing.assert_array_equal(*grids)


def test_a_grid_needs_images_and_a_column_for_each():
    with pytest.raises(ValueError, match="at most 1"):
        labelled_grid(["a"], [Row("b", [None])])
    with pytest.raises(ValueError, match="at most 1"):
        labelled_grid(["a"], [Row("b", IMAGES[:2])])
