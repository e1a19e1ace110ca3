"""Rooms: errors by hand, features that know the answer, reference rows, the conformance kit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ghbench_tasks.regression import rooms as rooms_module
from ghbench_tasks.regression.prediction import MEAN, NEAREST
from ghbench_tasks.regression.rooms import COLUMNS, METRICS, columns, rooms

from ghbench.data.rooms.ground_truth import CORNERS, LINES
from ghbench.errors import UsageError
from ghbench.running import runner
from ghbench.testing import check_task

SMALL = "size=32,test=24,train=64,val=24"
pytestmark = pytest.mark.usefixtures("own_cache_with_textures")


def test_scores_are_means_over_what_can_be_seen():
    records = pd.DataFrame({"image": [0, 1, 2]})
    for place, column in enumerate(COLUMNS["corner"]):
        records[column] = [0.1, np.nan, 0.3] if place == 0 else np.nan
    for column in COLUMNS["line"]:
        records[column] = [10.0, 20.0, np.nan]
    for metric in METRICS:
        if metric.name not in COLUMNS:
            records[metric.name] = [1.0, 2.0, 3.0]
    scores = {score.metric: score.value for score in rooms().score(records)}
    assert scores["corner"] == pytest.approx(0.2)
    assert scores["line"] == pytest.approx(15)
    assert scores["yaw"] == pytest.approx(2)
    weighted = {score.metric: score.value for score in rooms().score(records, np.array([0.0, 1.0, 3.0]))}
    assert weighted["corner"] == pytest.approx(0.3)
    assert weighted["line"] == pytest.approx(20)
    assert weighted["yaw"] == pytest.approx(2.75)
    assert np.isnan(rooms().score(records, np.zeros(3))[0].value), "nothing to be seen"


def test_answers_that_are_right_have_no_error(options, monkeypatch):
    monkeypatch.setattr(rooms_module, "predict", lambda inputs, truth, groups: (known(inputs), ()))

    def known(inputs):
        return rooms_module._numbers(inputs.datasets["test"], 32)

    result = runner.run("pixels:size=4", f"rooms:{SMALL}", options)
    values = {metric.metric: metric.value for metric in result.metrics}
    assert values.pop("surface-iou") == 1
    assert values == pytest.approx(dict.fromkeys(values, 0), abs=1e-3)
    assert len(values) == len(METRICS) - 1


@pytest.mark.parametrize("reference", [MEAN, NEAREST])
def test_rows_that_need_no_features(options, reference):
    result = runner.run(reference, f"rooms:{SMALL}", options)
    values = {metric.metric: metric.value for metric in result.metrics}
    assert 0.02 < values["corner"] < 0.5
    assert 0 < values["surface-iou"] < 1


def test_a_ridge_regression_on_other_rooms_is_run_again_for_halls(options):
    near = runner.run("pixels:size=8", f"rooms:{SMALL}", options)
    far = runner.run("pixels:size=8", f"rooms:{SMALL},transfer=true", options)
    assert near.task.name != far.task.name
    assert near.metrics[0].value != far.metrics[0].value
    assert "strengths: corners" in str(near)


def test_the_kit_accepts_the_task():
    check_task(rooms(size=32, train=200, val=50, test=50), answers=["corners", "lines", "surfaces", "camera", "light"])


def test_names_are_canonical():
    assert rooms().name == "rooms"
    assert rooms(transfer=True, size=128).name == "rooms:size=128,transfer=true"
    with pytest.raises(UsageError, match="val=0"):
        rooms(val=0)


def test_columns_follow_one_another():
    assert columns([("a", 2), ("b", 3)]) == {"a": slice(0, 2), "b": slice(2, 5)}
    assert len(CORNERS) == 4
    assert len(LINES) == 8
