"""Masks: boxes by shares, images, and edges that fade inwards."""

import numpy as np
import pytest
from PIL import Image

from ghbench.errors import DataError, UsageError
from ghbench.ghfeat.editing.masks import at_resolution, box_mask, feather, read_mask


def test_a_box_covers_the_pixels_whose_centres_lie_inside():
    mask = box_mask((0.25, 0.5, 0.75, 1.0), 8)
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 7, 2, 5)
    np.testing.assert_array_equal(read_mask("0.25,0.5,0.75,1.0", 8), mask)


def test_white_is_inside_an_image_mask(tmp_path):
    pixels = np.zeros((16, 16), np.uint8)
    pixels[:8], pixels[8:12] = 255, 51
    Image.fromarray(pixels).save(tmp_path / "m.png")
    mask = read_mask(str(tmp_path / "m.png"), 16)
    assert (mask[:8] == 1).all()
    assert np.allclose(mask[8:12], 0.2)
    assert not mask[12:].any()


def test_a_mask_of_one_colour_is_said_with_its_own_brightness(tmp_path):
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    Image.fromarray(red).save(tmp_path / "m.png")
    with pytest.raises(UsageError, match="is 85 of 255"):
        read_mask(str(tmp_path / "m.png"), 16)


def test_edges_fade_inwards_except_at_the_images_border():
    mask = box_mask((0.0, 0.0, 1.0, 0.5), 32)
    soft = feather(mask, 4 / 32)
    np.testing.assert_allclose(soft[:, 0], [1] * 13 + [0.75, 0.5, 0.25] + [0] * 16)
    assert (soft == soft[:, :1]).all()


def test_a_narrow_mask_still_reaches_one_in_its_middle():
    soft = feather(box_mask((0.4, 0.4, 0.6, 0.6), 32), 0.5)
    assert soft.max() == 1


def test_full_masks_and_zero_feathers_change_nothing():
    whole, box = np.ones((8, 8), np.float32), box_mask((0.25, 0.25, 0.5, 0.5), 8)
    np.testing.assert_array_equal(feather(whole), whole)
    np.testing.assert_array_equal(feather(box, 0), box)


def test_coarser_masks_average_each_square():
    share = at_resolution(box_mask((0.0, 0.0, 0.375, 1.0), 8), 4)[0, 0]
    np.testing.assert_allclose(share[0].numpy(), [1, 0.5, 0, 0])
    assert at_resolution(box_mask((0, 0, 0.5, 1), 8), 16).shape == (1, 1, 16, 16)


@pytest.mark.parametrize("text", ["0.5,0,0.2,1", "0,0,2,1", "0,0,1", "mask.png", "a,b,c,d", "nan,0,1,1"])
def test_text_that_is_neither_box_nor_file_is_refused(text):
    with pytest.raises(UsageError) as raised:
        read_mask(text, 8)
    assert "--mask 0.2,0.3" in raised.value.fix


def test_empty_and_damaged_masks_are_refused(tmp_path):
    Image.new("L", (64, 64)).save(tmp_path / "black.png")
    with pytest.raises(UsageError, match=r"black\.png"):
        read_mask(str(tmp_path / "black.png"), 8)
    with pytest.raises(UsageError, match=r"0\.51"):
        read_mask("0.5,0.5,0.51,0.51", 8)
    (tmp_path / "cut.png").write_bytes((tmp_path / "black.png").read_bytes()[:40])
    with pytest.raises(DataError, match=r"cut\.png"):
        read_mask(str(tmp_path / "cut.png"), 8)


@pytest.mark.parametrize("kind", ["layer", "grey layer", "deep", "zeros and ones", "one bit", "palette"])
def test_masks_as_programs_save_them_select_the_same(tmp_path, kind):
    inside = np.zeros((16, 16), bool)
    inside[4:8, 2:12] = True
    white = (inside * 255).astype(np.uint8)
    if kind == "palette":
        image = Image.fromarray(inside.astype(np.uint8), "P")
        image.putpalette([9, 9, 9, 255, 255, 255])
        image.info["transparency"] = 0
    else:
        image = {
            "layer": lambda: Image.fromarray(np.repeat(white[..., None], 4, axis=2)),
            "grey layer": lambda: Image.fromarray(np.stack([np.full_like(white, 255), white], axis=-1), "LA"),
            "deep": lambda: Image.fromarray((inside * 65535).astype(np.uint16)),
            "zeros and ones": lambda: Image.fromarray(inside.astype(np.uint8)),
            "one bit": lambda: Image.fromarray(inside),
        }[kind]()
    image.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(str(tmp_path / "m.png"), 16), inside.astype(np.float32))


def test_a_mask_without_anything_near_white_is_refused(tmp_path):
    Image.fromarray((np.eye(16) * 7).astype(np.uint8)).save(tmp_path / "classes.png")
    with pytest.raises(UsageError, match="7 of 255") as refused:
        read_mask(str(tmp_path / "classes.png"), 16)
    assert "white" in refused.value.fix
