"""Landmark errors and head poses: by hand, and rotations that come back."""

import numpy as np
import pytest

from ghbench.metrics.head_pose import ANGLES, HEAD, PLACES, head_pose
from ghbench.metrics.landmarks import ced_area, normalised_errors, normaliser


def test_errors_are_shares_of_the_distance_of_the_outer_eye_corners():
    truth = np.zeros((1, 68, 2))
    truth[0, 45] = [50, 0]
    answers = truth + np.array([3, 4])
    assert normaliser(truth) == pytest.approx([50])
    assert normalised_errors(answers, truth) == pytest.approx([0.1])
    five = np.array([[[0, 0], [20, 0], [10, 5], [5, 10], [15, 10]]], float)
    assert normalised_errors(five + np.array([0, 1]), five) == pytest.approx([0.05])


def test_the_area_is_the_integral_of_the_distribution():
    errors = np.random.default_rng(0).gamma(2, 0.03, 500)
    steps = np.linspace(0, 0.1, 20_001)
    integral = np.mean([(errors <= step).mean() for step in steps])
    assert ced_area(errors, 0.1) == pytest.approx(integral, abs=1e-4)
    assert ced_area(np.zeros(3), 0.1) == 1
    assert ced_area(np.array([0.05, 1.0]), 0.1, np.array([1.0, 3.0])) == pytest.approx(0.125)


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (0, 20, 0), (0, 0, -15), (-25, 10, 12), (40, -15, 5)])
def test_a_rotation_comes_back(angles):
    yaw, pitch, roll = np.deg2rad(angles)
    # The head's own axes: right, down and away. To look to the right is to turn about the axis that points down.
    about_down = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    about_right = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    turned = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    looking = (about_down @ about_right)[:, 2] * -1
    assert (np.sign(looking[0]), np.sign(-looking[1])) == (np.sign(yaw), np.sign(pitch)), "as said"
    points = np.full((1, 68, 2), np.nan)
    points[0, PLACES] = 0.3 * (HEAD @ (turned @ about_down @ about_right).T)[:, :2] + [100, 80]
    found = dict(zip(ANGLES, head_pose(points)[0], strict=True))
    if roll == 0:
        assert found["yaw"] == pytest.approx(angles[0], abs=1e-6)
        assert found["pitch"] == pytest.approx(angles[1], abs=1e-6)
    else:
        facing = -(turned @ about_down @ about_right)[:, 2]
        assert found["yaw"] == pytest.approx(np.rad2deg(np.arctan2(facing[0], -facing[2])), abs=1e-6)
        assert found["pitch"] == pytest.approx(np.rad2deg(np.arcsin(-facing[1])), abs=1e-6)
    if yaw == pitch == 0:
        assert found["roll"] == pytest.approx(angles[2], abs=1e-6)
