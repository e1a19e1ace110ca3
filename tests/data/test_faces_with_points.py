"""Faces with points: generated ones and their jitter, crops of photographs, files that do not follow their format."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest
from PIL import Image

from ghbench.data import generated_faces
from ghbench.data.face_crops import square_around
from ghbench.data.framed import Framed
from ghbench.data.generated_faces import MIRROR, GeneratedFaces
from ghbench.data.ibug import Ibug
from ghbench.data.mafl import Mafl
from ghbench.dataset import Dataset, Drawn, Target
from ghbench.errors import DataError, MissingError, UsageError


@pytest.fixture
def dots(monkeypatch, tmp_path):
    """Generated faces of 32 px by the tiny generator, on which points are found wherever they are asked for."""
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(generated_faces, "models_digest", lambda *models: "by hand")
    monkeypatch.setattr(generated_faces.assets, "digest", lambda *names: "by hand")

    def points(image):
        level = float(image[:, :16].mean())
        found = np.stack([np.arange(68) / 4 + level / 255, np.arange(68) / 5], axis=1)
        return np.full((68, 2), np.nan) if image[0, 0, 0] < 40 else found

    monkeypatch.setattr(generated_faces, "points_or_nan", points)

    def make(**options):
        return GeneratedFaces(**{"train": 5, "test": 4, "size": 32, "generator": "tiny"} | options)

    return make


def test_generated_faces_are_a_dataset_whose_points_are_found_once(dots, monkeypatch):
    faces = dots()
    assert isinstance(faces, Drawn)
    assert faces.ids[0] == "train/seed-0002000000"
    assert faces.ids[5] == "test/seed-0004000000"
    assert {split: rows.tolist() for split, rows in faces.splits.items()} == {
        "train": [0, 1, 2, 3, 4],
        "test": [5, 6, 7, 8],
    }
    found = faces.targets["points"].values
    assert found.shape == (9, 68, 2)
    assert np.array_equal(faces.image(6), faces.parts["test"].image(1))
    monkeypatch.setattr(generated_faces, "points_or_nan", None)
    assert np.array_equal(dots().targets["points"].values, found, equal_nan=True), "kept"
    assert isinstance(dots(), Dataset)


def test_jitter_moves_pixels_and_points_alike(dots, monkeypatch):
    plain, moved = dots(), dots(jitter=True)
    assert moved.identities() != plain.identities()
    transform = moved._transform(5)
    angle = np.rad2deg(np.arctan2(transform[1, 0], transform[0, 0]))
    assert 0 < abs(angle) <= 15
    assert 1 / 1.15 <= np.hypot(transform[0, 0], transform[1, 0]) <= 1 / 0.85
    one, two = plain.targets["points"].values, moved.targets["points"].values
    known = np.isfinite(one[5]).all()
    if known:
        assert two[5] == pytest.approx(one[5] @ transform[:, :2].T + transform[:, 2])
    # A bright spot is found again where the transform says.
    spot = np.zeros((32, 32, 3), np.uint8)
    spot[17:20, 13:16] = 255
    monkeypatch.setattr(moved.parts["test"], "image", lambda row: spot)
    shown = moved.image(5)[..., 0].astype(float)
    rows, columns = np.indices(shown.shape)
    centre = np.array([(columns + 0.5).ravel() @ shown.ravel(), (rows + 0.5).ravel() @ shown.ravel()]) / shown.sum()
    assert centre == pytest.approx(np.array([14.5, 18.5]) @ transform[:, :2].T + transform[:, 2], abs=0.4)


def test_the_true_codes_are_those_of_the_seeds(dots):
    faces = dots()
    assert np.array_equal(faces.codes([6])[0], faces.parts["test"].codes([1])[0])


def test_points_of_a_mirrored_image_swap_sides():
    assert np.array_equal(MIRROR[MIRROR], np.arange(68)), "twice is not at all"
    assert (MIRROR[36], MIRROR[45], MIRROR[0], MIRROR[48], MIRROR[30]) == (45, 36, 16, 54, 30)


def test_no_images_are_refused():
    with pytest.raises(UsageError, match="expected numbers"):
        GeneratedFaces(train=0, test=0)


@pytest.fixture
def photographs(tmp_path):
    """Three photographs with a bright square at the first point; two to learn from, one to test on."""
    root = tmp_path / "ibug"
    for name, (across, down) in {
        "helen/trainset/a": (10, 20),
        "helen/trainset/b": (30, 12),
        "ibug/c": (25, 30),
    }.items():
        path = root / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.zeros((60, 80, 3), np.uint8)
        pixels[down - 1 : down + 2, across - 1 : across + 2] = 255
        Image.fromarray(pixels).save(path)
        points = np.array([[across, down]] * 34 + [[across + 20, down + 10]] * 34) + 1  # .pts files count from 1
        lines = "\n".join(f"{x} {y}" for x, y in points)
        path.with_suffix(".pts").write_text(f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n")
    return root


def test_faces_are_cut_out_with_their_points(photographs):
    faces = Ibug(str(photographs), size=52)
    assert {split: len(rows) for split, rows in faces.splits.items()} == {"train": 2, "test": 1}
    for row in range(3):
        image, point = faces.image(row), faces.targets["points"].values[row, 0]
        assert image.shape == (52, 52, 3)
        column, line = point.astype(int)
        assert image[line, column].min() > 200, "the bright square is where the point is"
    assert len(set(faces.identities())) == 3


def test_a_square_is_wider_than_the_box_around_points():
    quad = square_around(np.array([[10.0, 10], [30, 20]]), margin=1.5)
    assert quad.tolist() == [[5, 0], [35, 0], [5, 30]]


def test_files_that_lack_points_are_named(photographs, tmp_path):
    file = photographs / "ibug" / "c.pts"
    file.write_text("version: 1\nn_points: 1\n{\n1 1\n}\n")
    with pytest.raises(DataError, match="holds 1 points; expected 68"):
        Ibug(str(photographs))
    with pytest.raises(MissingError, match="is not a folder"):
        Ibug(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no image with a"):
        Ibug(str(tmp_path / "empty"))


@pytest.fixture
def celeba(tmp_path):
    """Three aligned faces in CelebA's layout; two to learn from."""
    root = tmp_path / "celeba"
    (root / "img_align_celeba").mkdir(parents=True)
    rows = [
        "3",
        "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y",
    ]
    for number in (1, 2, 3):
        pixels = np.zeros((218, 178, 3), np.uint8)
        pixels[109:112, 67 + number : 70 + number] = 255
        Image.fromarray(pixels).save(root / "img_align_celeba" / f"{number:06}.png")
        rows.append(f"{number:06}.png {68 + number} 110 108 110 90 130 70 150 110 150")
    (root / "list_landmarks_align_celeba.txt").write_text("\n".join(rows))
    (root / "training.txt").write_text("000001.png\n000002.png\n")
    (root / "testing.txt").write_text("000003.png\n")
    return root


def test_mafl_has_the_published_splits_and_points_in_the_square(celeba):
    faces = Mafl(str(celeba), size=178)
    assert {split: rows.tolist() for split, rows in faces.splits.items()} == {"train": [0, 1], "test": [2]}
    assert faces.targets["points"].values[2, 0] == pytest.approx([71.5, 90.5])
    assert faces.image(2)[90, 71].min() == 255


def test_mafl_says_what_is_missing(celeba):
    (celeba / "testing.txt").write_text("000009.png")
    with pytest.raises(DataError, match="no points for 000009"):
        Mafl(str(celeba))
    (celeba / "testing.txt").unlink()
    with pytest.raises(MissingError, match="testing"):
        Mafl(str(celeba))


def test_points_follow_an_image_into_its_frame():
    class Whole:
        ids, splits, recipe_digest = ("a",), MappingProxyType({}), None
        targets = MappingProxyType({"points": Target("points", np.array([[[4.0, 2.0]]]), "pixels", ("0",))})

        def __len__(self):
            return 1

        def image(self, row):
            return np.zeros((12, 12, 3), np.uint8)

        def identities(self):
            return ("a",)

    framed = Framed(Whole(), 32, "none", padding=2)
    assert framed.targets["points"].values[0, 0] == pytest.approx([12, 8]), "two pixels of border, then twice as large"


@pytest.mark.parametrize(("name", "content", "message"), [
    ("list_landmarks_align_celeba.txt", "3\nx\n000001.png 1 2\n", "expected a file name and ten numbers"),
    ("training.txt", "", "empty list"),
])  # fmt: skip
def test_files_of_mafl_that_do_not_follow_their_format_are_named(celeba, name, content, message):
    (celeba / name).write_text(content)
    with pytest.raises(DataError, match=message):
        Mafl(str(celeba))


def test_points_that_cannot_be_and_sizes_are_refused(photographs):
    with pytest.raises(UsageError, match="size=0"):
        Ibug(str(photographs), size=0)
    lines = "\n".join(["5 5"] * 68)
    (photographs / "ibug" / "c.pts").write_text(f"n_points: 68\n{{\n{lines}\n}}\n")
    with pytest.raises(DataError, match="all in one place"):
        Ibug(str(photographs))


def test_odd_names_and_the_challenges_own_folders_are_found(photographs):
    for suffix in (".png", ".pts"):
        (photographs / "ibug" / f"c{suffix}").rename(photographs / "ibug" / f"c[1]{suffix}")
    (photographs / "helen" / "trainset").rename(photographs / "01_Indoor")
    assert {split: len(rows) for split, rows in Ibug(str(photographs)).splits.items()} == {"test": 3}
