"""From records to numbers: each metric gets the uncertainty that its task declares, and no other."""

import numpy as np
import pandas as pd
import pytest

from ghbench.errors import PluginError
from ghbench.results import scoring, statistics
from ghbench.task import Metric, Score, Units


class MeanOfPeople:
    """Records belong to people; `rare` is not defined when person 0 is not drawn."""

    name = "mean"
    metrics = (
        Metric("mean", bounds=None),
        Metric("rare"),
        Metric("whole", uncertainty="none"),
        Metric("blocks", uncertainty="error", error="over blocks"),
    )

    def units(self, records):
        return Units("people", records["person"].to_numpy(), None, int(records["person"].max()) + 1)

    def score(self, records, sample_weight=None):
        scores = [Score("mean", float(np.average(records["value"], weights=sample_weight)))]
        if sample_weight is None or sample_weight[0] > 0:
            scores.append(Score("rare", 1.0))
        return [*scores, Score("whole", 0.5), Score("blocks", 0.5, standard_error=0.1)]


class SeedsOfTrainings(MeanOfPeople):
    metrics = tuple(Metric(one.name, uncertainty="runs" if one.uncertainty == "units" else one.uncertainty,
                           bounds=one.bounds, error=one.error) for one in MeanOfPeople.metrics)  # fmt: skip


@pytest.fixture
def records():
    return pd.DataFrame({"person": [0, 1, 2], "value": [1.0, 2.0, 4.0]})


def test_a_draw_that_lacks_a_metric_leaves_a_gap_in_its_place(records):
    found = scoring.replicates(MeanOfPeople(), records, draws=40)
    drawn = statistics.multiplicities(3, 40)[:, 0] > 0
    assert 0 < drawn.sum() < 40
    np.testing.assert_array_equal(np.isfinite(found["rare", None]), drawn)
    assert len(found["mean", None]) == 40
    assert set(found) == {("mean", None), ("rare", None)}, "what is not resampled has no draws"


def test_every_value_has_the_uncertainty_that_its_metric_declares(records):
    task = MeanOfPeople()
    values = {one.metric: one for one in scoring.metric_values(task, records, scoring.replicates(task, records))}
    low, high = values["mean"].interval
    assert low < values["mean"].value < high
    assert values["mean"].standard_error is None
    assert (values["whole"].interval, values["whole"].standard_error) == (None, None)
    assert (values["blocks"].interval, values["blocks"].standard_error) == (None, 0.1)


def test_a_metric_of_few_units_has_the_interval_of_so_many():
    class OfTheFirstFive(MeanOfPeople):
        metrics = (Metric("mean", bounds=None),)

        def score(self, records, sample_weight=None):
            weight = (np.ones(40) if sample_weight is None else sample_weight) * (records["person"] < 5)
            value = np.average(records["value"], weights=weight) if weight.sum() else np.nan
            return [Score("mean", float(value), units=5)]

    task = OfTheFirstFive()
    records = pd.DataFrame({"person": np.arange(40), "value": np.random.default_rng(0).normal(size=40)})
    draws = scoring.replicates(task, records)
    (found,) = scoring.metric_values(task, records, draws)
    assert found.interval == statistics.interval(found.value, draws["mean", None], 5, None)
    assert scoring.units_behind(task, records, "mean") == 5


def test_runs_of_two_systems_are_drawn_independently_and_units_together(records):
    def draws(task, stream):
        return scoring.replicates(task, records, draws=40, stream=stream)["mean", None]

    np.testing.assert_array_equal(draws(MeanOfPeople(), "a"), draws(MeanOfPeople(), "b"))
    np.testing.assert_array_equal(draws(SeedsOfTrainings(), "a"), draws(SeedsOfTrainings(), "a"))
    assert (draws(SeedsOfTrainings(), "a") != draws(SeedsOfTrainings(), "b")).any()


def test_levels_are_scored_one_by_one(records):
    task = MeanOfPeople()
    both = pd.concat([records.assign(level="r4"), records.assign(level="r8", value=[3.0, 3.0, 3.0])])
    scores = {(one.metric, one.level): one.value for one in scoring.scores(task, both.reset_index(drop=True))}
    assert (scores["mean", "r4"], scores["mean", "r8"]) == (pytest.approx(7 / 3), 3.0)
    draws = scoring.replicates(task, both.reset_index(drop=True), draws=20)
    np.testing.assert_array_equal(draws["mean", "r4"], scoring.replicates(task, records, draws=20)["mean", None])


def test_units_must_be_there_where_a_metric_needs_them_and_scores_must_be_declared(records):
    class NoUnits(MeanOfPeople):
        units = None

    class Undeclared(MeanOfPeople):
        metrics = MeanOfPeople.metrics[:2]

    with pytest.raises((PluginError, TypeError)):
        scoring.replicates(NoUnits(), records)
    with pytest.raises(PluginError):
        scoring.metric_values(Undeclared(), records, {})


def test_many_units_are_drawn_in_blocks_of_bounded_size():
    sizes = [block.size for block in statistics.multiplicity_chunks(50_000, 200, 0)]
    assert max(sizes) <= 4_000_000
    assert sum(sizes) == 50_000 * 200
