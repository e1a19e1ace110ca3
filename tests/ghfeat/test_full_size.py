"""Results of the whole network from codes of its first layers, and edited faces back in their photographs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ghbench.errors import UsageError
from ghbench.ghfeat.codec import Codec
from ghbench.ghfeat.editing.edits import reconstruct, sampled_codes, squared_errors
from ghbench.ghfeat.editing.full_size import FullSizeCodec, whole_generator
from ghbench.ghfeat.editing.inputs import EditInput
from ghbench.ghfeat.editing.pasting import paste_back
from ghbench.imaging.transforms import inverse


@pytest.fixture(scope="module")
def codec():
    pytest.importorskip("onnx")
    return FullSizeCodec(Codec.load(), 256)


def test_true_codes_draw_what_the_whole_network_draws(codec):
    whole = codec.pictures([3], 0.7)
    assert whole.shape == (1, 3, 256, 256)
    assert squared_errors(whole, codec.decode(sampled_codes(codec, [3])))[0] < 1e-3


def test_larger_images_are_averaged_before_they_are_encoded(codec):
    whole = codec.pictures([3], 0.7)
    side = codec.encoded
    small = whole.reshape(1, 3, side, 256 // side, side, 256 // side).mean(axis=(3, 5))
    np.testing.assert_allclose((codec.tensor(whole).numpy() + 1) * 127.5, small, atol=1e-3)
    made = reconstruct(codec, whole)
    assert made.shape == whole.shape
    assert squared_errors(whole, made)[0] < squared_errors(whole, codec.pictures([4], 0.7))[0] / 2


def test_sizes_that_no_network_draws_are_refused(codec, encoder_file):
    plain = Codec.load()
    for size in (plain.size, 300, 2048):
        with pytest.raises(UsageError, match="px"):
            FullSizeCodec(plain, size)
    tiny = Codec.load(str(encoder_file))
    assert whole_generator(tiny) is None
    with pytest.raises(UsageError, match="32"):
        FullSizeCodec(tiny, 64)


@pytest.mark.parametrize("side", [256, 1000])
def test_a_face_with_more_pixels_than_its_place_is_averaged_and_no_darker(side):
    stripes = np.zeros((3, side, side), np.uint8)
    stripes[:, :, ::2] = 255
    scale = side / 80
    made = paste_back(np.full((80, 80, 3), 128, np.uint8), stripes, np.array([[scale, 0, 0], [0, scale, 0]]))
    np.testing.assert_allclose(made[20:60, 20:60], 127.5, atol=2)
    photo = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    whole = paste_back(photo, photo.transpose(2, 0, 1), np.eye(2, 3))
    np.testing.assert_array_equal(whole, photo)


def test_a_face_lands_where_it_was_cut_and_the_rest_stays(tmp_path):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    # A square of 64 px around (80, 60), turned by a quarter of a right angle.
    angle, centre = np.pi / 8, np.array([80.0, 60.0])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    transform = np.column_stack([turn, 32 - turn @ centre])
    face = np.zeros((3, 64, 64), np.uint8)
    face[0] = 255
    made = paste_back(photo, face, transform)
    assert made[60, 80].tolist() == [255, 0, 0]
    corners = np.array([[0, 0], [64, 0], [64, 64], [0, 64]], float)
    places = corners @ inverse(transform)[:, :2].T + inverse(transform)[:, 2]
    outside = np.ones((120, 160), bool)
    low, high = np.floor(places.min(axis=0)).astype(int), np.ceil(places.max(axis=0)).astype(int)
    outside[low[1] : high[1], low[0] : high[0]] = False
    np.testing.assert_array_equal(made[outside], photo[outside])
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    entry = EditInput("photo", face, file=path, transform=transform)
    np.testing.assert_array_equal(entry.in_photograph(face), made)
    assert EditInput("seed 1", face).in_photograph(face).shape == (64, 64, 3)
