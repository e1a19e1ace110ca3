"""Grids of images, and their files."""

import numpy as np
import pytest
from PIL import Image

from ghbench.errors import UsageError
from ghbench.figures.picture_grid import GAP, even_columns, picture_grid, save_png


def images(count):
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 3), np.uint8)


def test_images_are_placed_row_by_row_with_a_white_gap():
    grid = picture_grid(images(3), columns=2)
    assert grid.shape == (2 * 2 + GAP, 2 * 3 + GAP, 3)
    assert [grid[0, 0, 0], grid[0, 3 + GAP, 0], grid[2 + GAP, 0, 0]] == [0, 1, 2]
    assert (grid[2 : 2 + GAP] == 255).all()
    assert (grid[2 + GAP :, 3:] == 255).all()


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (4, 2), (6, 3), (8, 4), (10, 5), (16, 4), (13, 4)])
def test_grids_are_nearly_square_and_full_where_they_can_be(count, columns):
    assert even_columns(count) == columns


def test_no_images_make_no_grid():
    with pytest.raises(ValueError, match="one"):
        picture_grid(images(0))


def test_files_are_png_and_equal_for_equal_images(tmp_path):
    grid = picture_grid(images(4))
    one, two = (save_png(grid, tmp_path / "deep" / name).read_bytes() for name in ("a.png", "b.PNG"))
    assert one == two
    assert np.array_equal(np.asarray(Image.open(tmp_path / "deep" / "a.png")), grid)
    with pytest.raises(UsageError, match=r"a\.jpg"):
        save_png(grid, tmp_path / "a.jpg")
