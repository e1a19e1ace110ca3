"""What tasks say of their wrong records, on records made by hand."""

import numpy as np
import pandas as pd
import pytest
from ghbench_tasks.classification.fewshot import fewshot
from ghbench_tasks.classification.knn import knn
from ghbench_tasks.classification.retrieval import retrieval
from ghbench_tasks.pictures.luminance import luminance
from ghbench_tasks.regression.attributes import attributes
from ghbench_tasks.regression.rooms import COLUMNS, rooms

from ghbench.task_errors import errors_of_images


def told(lists):
    return {one.title: (one.images[:, 0].tolist(), pytest.approx(one.error.tolist(), abs=1e-6)) for one in lists}


def test_images_without_an_error_are_left_out():
    records = pd.DataFrame({"image": [7, 3, 5, 4]})
    error = np.array([0.0, 2.0, np.nan, 1.0])
    (found,) = errors_of_images("title", "what", records, error, {"beside": np.arange(4)})
    assert (found.role, found.images.tolist(), found.error.tolist()) == (None, [[3], [4]], [2.0, 1.0])
    assert found.shown["beside"].tolist() == [1.0, 3.0]
    assert errors_of_images("title", "what", records, np.zeros(4)) == []


def test_images_lose_draws_queries_precision_and_votes():
    records = pd.DataFrame({"image": [4, 5, 6], "s1": [0.2, 0.4, 1.0], "s5": [1.0, 0.5, 0.9]})
    assert told(fewshot().errors(records)) == {"missed images": ([5, 6], [0.5, 0.1])}
    assert told(fewshot().errors(records[["image", "s1"]])) == {"missed images": ([4, 5], [0.8, 0.6])}

    records = pd.DataFrame({"image": [0, 1], "ap": [1.0, 0.25], "first": [1, 9]})
    (found,) = retrieval().errors(records)
    assert told([found]) == {"lowest average precision": ([1], [0.75])}
    assert found.shown["first of its class at rank"].tolist() == [9]

    records = pd.DataFrame({"image": [0, 1, 2], "class": [1, 1, 1], "k5": [1, 0, 0], "k1": [0, 1, 0]})
    assert list(told(knn().errors(records))) == ["wrong classes"]
    assert told(knn().errors(records))["wrong classes"][0] == [1, 2]


def test_numbers_are_off():
    records = pd.DataFrame({"image": [8, 9], "luminance": [0.2, 0.5], "luminance-predicted": [0.2, 0.8]})
    records["asymmetry"], records["asymmetry-predicted"] = [0.0, 0.1], [-0.2, 0.0]
    assert told(luminance().errors(records)) == {
        "highest error of luminance": ([9], [0.3]), "highest error of asymmetry": ([8, 9], [0.2, 0.1]),
    }  # fmt: skip

    records = pd.DataFrame({"image": [0, 1], "smile": [1.0, 0.0], "smile-predicted": [0.5, 0.0]})
    records["hat"], records["hat-predicted"] = [0.0, 1.0], [0.1, 1.0]
    assert told(attributes().errors(records)) == {"attributes": ([0], [0.3])}
    records["age"], records["age-predicted"] = [30.0, 40.0], [30.0, 25.0]
    assert told(attributes().errors(records)) == {"attributes": ([0], [0.3]), "age": ([1], [15.0])}


def test_rooms_are_judged_by_the_corners_that_can_be_seen():
    corners, lines = COLUMNS["corner"], COLUMNS["line"]
    records = pd.DataFrame({"image": [0, 1, 2], "surface-iou": [1.0, 0.6, 0.7]})
    records[list(corners)] = np.nan
    records[list(lines)] = 0.0
    records[["yaw", "pitch", "height", "light", "intensity"]] = 0.0
    records.loc[0, list(corners)[:2]] = [0.1, 0.3]
    records.loc[1, corners[0]] = 0.5
    assert told(rooms().errors(records)) == {"corners": ([0, 1], [0.2, 0.5]), "surfaces": ([1, 2], [0.4, 0.3])}
