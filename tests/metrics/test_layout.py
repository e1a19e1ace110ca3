"""Layout errors by hand."""

import numpy as np
import pytest

from ghbench.metrics.layout import line_angles, map_iou, unit_angles


def test_lines_have_no_direction():
    def pair(degrees):
        return np.array([np.cos(2 * np.deg2rad(degrees)), np.sin(2 * np.deg2rad(degrees))])

    assert np.rad2deg(line_angles(3 * pair(10), pair(30))) == pytest.approx(20)
    assert np.rad2deg(line_angles(pair(5), pair(175))) == pytest.approx(10)
    assert np.rad2deg(line_angles(pair(0), pair(90))) == pytest.approx(90)


def test_angles_between_directions():
    found = unit_angles(np.array([[2.0, 0, 0], [0, 0, 0], [-1, 0, 0]]), np.array([[0, 3.0, 0], [1, 0, 0], [5, 0, 0]]))
    assert np.rad2deg(found) == pytest.approx([90, 90, 180])


def test_overlap_counts_classes_that_either_map_has():
    truth = np.array([[0, 0, 1, 1]])
    assert map_iou(truth, truth, 5) == pytest.approx([1])
    # Class 0: 2 of 3; class 1: 1 of 2.
    assert map_iou(np.array([[0, 0, 0, 1]]), truth, 5) == pytest.approx([(2 / 3 + 1 / 2) / 2])
    assert map_iou(np.array([[2, 2, 2, 2]]), truth, 5) == pytest.approx([0])
