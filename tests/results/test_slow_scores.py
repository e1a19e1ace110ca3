"""Scores that took long are remembered, and nothing that could change them is overlooked."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import ghbench_tasks  # noqa: F401 - the package whose scores are remembered
import numpy as np
import pandas as pd
import pytest

from ghbench import locations
from ghbench.results import slow_scores
from ghbench.task import Metric, Score


@dataclass
class Counting:
    name: str = "counting"
    version: int = 1
    metrics: tuple = (Metric("sum"),)
    asked: list = field(default_factory=list)

    def score(self, records, sample_weight=None):
        self.asked.append(len(records))
        return [Score("sum", float(records["x"].sum()), units=np.int64(len(records))), Score("none", math.nan)]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(Counting, "__module__", "ghbench_tasks.counting")


def test_a_slow_task_is_asked_once(monkeypatch):
    monkeypatch.setattr(slow_scores, "LONG", -1.0)
    task, records = Counting(), pd.DataFrame({"x": [0.1, 0.2]})
    first, again = (slow_scores.scores(task, records, "a") for _ in range(2))
    assert task.asked == [2]
    assert (first[0], again[0].value, again[0].units) == (again[0], 0.1 + 0.2, 2)
    assert math.isnan(again[1].value)
    slow_scores.scores(task, records, "b")
    task.version = 2
    slow_scores.scores(task, records, "a")
    assert task.asked == [2, 2, 2]


def test_another_package_s_task_is_always_asked(monkeypatch):
    monkeypatch.setattr(slow_scores, "LONG", -1.0)
    monkeypatch.setattr(Counting, "__module__", "somebody.tasks")
    task = Counting()
    for _ in range(2):
        slow_scores.scores(task, pd.DataFrame({"x": [1.0]}), "a")
    assert task.asked == [1, 1]


def test_a_run_scores_anew(monkeypatch):
    monkeypatch.setattr(slow_scores, "LONG", -1.0)
    task = Counting()
    for _ in range(2):
        slow_scores.scores(task, pd.DataFrame({"x": [1.0]}), "a", anew=True)
    assert task.asked == [1, 1]


@pytest.mark.parametrize("damage", ["", "{", "[]", "a\n[]", '[{"metric": "sum", "value": 0.5}]', "\xff", "[" * 100_000])
def test_what_is_damaged_is_scored_again(monkeypatch, damage):
    monkeypatch.setattr(slow_scores, "LONG", -1.0)
    task, records = Counting(), pd.DataFrame({"x": [1.0]})
    slow_scores.scores(task, records, "a")
    (path,) = (locations.cache() / "scores").glob("*.json")
    path.write_text(damage, encoding="latin-1")
    assert slow_scores.scores(task, records, "a")[0].value == 1.0
    assert len(task.asked) == 2


def test_a_fast_one_leaves_nothing_behind():
    slow_scores.scores(Counting(), pd.DataFrame({"x": [1.0]}), "a")
    assert not (locations.cache() / "scores").exists()


def test_a_cache_that_cannot_be_written_costs_no_table(monkeypatch, tmp_path):
    monkeypatch.setattr(slow_scores, "LONG", -1.0)
    (tmp_path / "scores").write_text("in the way")
    assert slow_scores.scores(Counting(), pd.DataFrame({"x": [1.0]}), "a")[0].value == 1.0
