"""Points follow pixels: a blob drawn in an image lands where the transform says, whatever was done to the image."""

from __future__ import annotations

import numpy as np
import pytest

from ghbench.extractor import Preprocessing
from ghbench.imaging import RESIZES, alignment, dlib_chip, ffhq, inverse, mirrored, move_points, prepare
from ghbench.imaging.face_detection import Face
from ghbench.imaging.transforms import chain, scaling

SIZES = [(64, 64), (48, 80), (90, 40)]


def blob(x, y, shape, width):
    """A smooth blob around a point in black, uint8 [H, W, 3]."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    values = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2))
    return np.repeat(np.round(values).astype(np.uint8)[..., None], 3, axis=2)


def centroid(image):
    """Where the brightness of uint8 [3, H, W] has its centre, (x, y)."""
    weights = image[0].astype(float)
    rows, columns = np.mgrid[: weights.shape[0], : weights.shape[1]] + 0.5
    return np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()


def check(place, prepared):
    expected = move_points(place, prepared.transform)
    assert centroid(prepared.image) == pytest.approx(expected, abs=0.1)
    assert inverse(prepared.transform) @ [*expected, 1] == pytest.approx(place)
    flipped, width = prepared.image[:, :, ::-1], prepared.image.shape[2]
    assert centroid(flipped) == pytest.approx(move_points(place, mirrored(prepared.transform, width)), abs=0.1)


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", [(120, 100), (90, 200)])
def test_none_moves_points_as_the_resize_step_moves_pixels(resize, size, shape):
    place = np.array([shape[1] * 0.45, shape[0] * 0.56])
    check(place, prepare(blob(*place, shape, 4), Preprocessing(size, resize=resize), "none"))


@pytest.fixture
def turned_face(monkeypatch):
    """A face of 170 pixels turned by 25 degrees about (200, 160), found without any model; sets the view's scale."""
    dlib = pytest.importorskip("dlib")
    turn = np.deg2rad(25)
    turning = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

    def place(points, scale):
        return ((np.asarray(points, dtype=float) @ turning.T) + [200, 160]) * scale

    def find(scale):
        def find_face(image):
            size = round(image.shape[0] * scale), round(image.shape[1] * scale)
            view = image if scale == 1 else RESIZES["squash-bilinear"].apply(image, size)
            return Face((115 * scale, 75 * scale, 285 * scale, 245 * scale), detected=True, view=view, scale=scale)

        def shape(face, predictor):
            # Eyes' corners from the picture's right to its left, and the nose, as the 5-point model has them.
            points = place([[60, -30], [25, -30], [-60, -30], [-25, -30], [0, 25]], scale)
            box = dlib.rectangle(*(round(edge) for edge in face.box))
            return dlib.full_object_detection(box, [dlib.point(*np.round(point).astype(int)) for point in points])

        monkeypatch.setattr("ghbench.imaging.tight.find_face", find_face)
        monkeypatch.setattr(ffhq, "find_face", find_face)
        monkeypatch.setattr(dlib_chip, "find_face", find_face)
        monkeypatch.setattr(dlib_chip, "dlib_shape", shape)
        monkeypatch.setattr(
            ffhq, "points68", lambda face: place([[-30, -20], [30, -20], [0, 0], [-20, 30], [20, 30]], 1)
        )

    return find


@pytest.mark.parametrize("name", ["tight", "ffhq", "dlib-chip"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [1, 2, 0.45])
def test_an_alignment_tells_where_it_puts_points(turned_face, name, size, scale):
    turned_face(scale)
    for place in ([185.0, 150.0], [220.0, 172.0]):
        prepared = alignment(name).apply(blob(*place, (333, 401), 5), size)
        assert not prepared.fallback
        check(np.array(place), prepared)


@pytest.mark.parametrize("angle", [0.0, 0.4])
@pytest.mark.parametrize("ratio", [0.5, 1.96, 2, 3, 8])
def test_a_chip_of_an_image_that_dlib_halves_first_is_where_its_pixels_are(ratio, angle):
    dlib = pytest.importorskip("dlib")
    side = 60 * ratio
    details = dlib.chip_details(dlib.drectangle(70, 50, 70 + side, 50 + side), dlib.chip_dims(60, 60), angle)
    place = np.array([70 + 0.4 * side, 50 + 0.55 * side])
    image = blob(*place, (int(1.3 * side) + 100, int(1.2 * side) + 150), max(3, 3 * ratio))
    chip = np.asarray(dlib.extract_image_chip(image, details)).transpose(2, 0, 1)
    assert centroid(chip) == pytest.approx(move_points(place, dlib_chip.chip_transform(details)), abs=0.05)


@pytest.mark.parametrize("name", ["ffhq", "dlib-chip"])
def test_a_turned_face_is_turned_back(turned_face, name):
    turned_face(1)
    transform = alignment(name).apply(np.zeros((333, 401, 3), np.uint8), (64, 64)).transform
    across = transform[:, :2] @ [np.cos(np.deg2rad(25)), np.sin(np.deg2rad(25))]
    assert np.rad2deg(np.arctan2(across[1], across[0])) == pytest.approx(0, abs=1.5)


def test_transforms_by_hand():
    cut = scaling(2, 3, left=10, top=20)
    assert move_points([[10, 20], [11, 21]], cut).tolist() == [[0, 0], [2, 3]]
    assert move_points([11, 21], mirrored(cut, 64)).tolist() == [62, 3]
    assert move_points(np.zeros((4, 5, 2)), cut).shape == (4, 5, 2)
    assert np.isnan(move_points([np.nan, np.nan], cut)).all()
    assert move_points([11, 21], chain(cut, scaling(0.5, 1, left=1))).tolist() == [0.5, 3]
