"""Pictures with names for rows and columns."""

import numpy as np
import pytest

from ghbench.figures.labelled_grid import GAP, SMALLEST, Row, labelled_grid

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (3, 130, 130, 3), dtype=np.uint8)


def corner(grid, rows, columns):
    """Where the first cell begins, from the grid's lower right end."""
    return grid.shape[0] - rows * (130 + GAP), grid.shape[1] - columns * (130 + GAP)


def test_pictures_stand_in_their_places_and_empty_places_are_white():
    grid = labelled_grid(["one", "two"], [Row("above", PICTURES[:2]), Row("below", [None, PICTURES[2]])])
    top, left = corner(grid, 2, 2)
    step = 130 + GAP
    np.testing.assert_array_equal(grid[top : top + 130, left : left + 130], PICTURES[0])
    np.testing.assert_array_equal(grid[top + step : top + step + 130, left + step : left + step + 130], PICTURES[2])
    assert (grid[top + step :, left : left + step] == 255).all()
    assert (grid[:top, left:] < 100).any()
    assert (grid[top:, :left] < 100).any()


def test_small_pictures_are_shown_with_whole_pixels():
    small = RNG.integers(0, 256, (10, 10, 3), dtype=np.uint8)
    grid = labelled_grid(["a"], [Row("b", [small])])
    side = 10 * -(-SMALLEST // 10)
    np.testing.assert_array_equal(grid[-GAP - side : -GAP : side // 10, -GAP - side : -GAP : side // 10], small)


@pytest.mark.parametrize("label", ["a name " * 30, "x" * 300, "", "\u00e9\u4e2d\n2"])
def test_no_name_reaches_over_its_neighbours(label):
    grid = labelled_grid([label, label], [Row(label, PICTURES[:2])])
    assert grid.shape[1] <= 2 * (130 + GAP) + 160
    top, left = corner(grid, 1, 2)
    assert (grid[:top, left + 130 : left + 130 + GAP] == 255).all()


def test_equal_pictures_give_equal_pixels():
    grids = [labelled_grid(["a"], [Row("b", PICTURES[:1])]) for _ in range(2)]
    np.testing.assert_array_equal(*grids)


def test_a_grid_needs_pictures_and_a_column_for_each():
    with pytest.raises(ValueError, match="needs pictures"):
        labelled_grid(["a"], [Row("b", [None])])
    with pytest.raises(ValueError, match="a column for each"):
        labelled_grid(["a"], [Row("b", PICTURES[:2])])
