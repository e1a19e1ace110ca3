"""Ratios of sums over records: values by hand, and draws that equal the score with their weights."""

import numpy as np
import pytest

from ghbench.metrics.ratios import item_records, merged, ratio_replicates, ratios, set_record, unit_codes, units_behind


@pytest.fixture
def records():
    row, unit = np.arange(4), np.array([7, 7, 3, 9])
    return merged(
        [
            item_records("mean", [1.0, 2.0, np.nan, 6.0], row=row, unit=unit),
            item_records("ratio", [1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 4.0, 0.0], row=row, unit=unit, at="r8"),
            set_record("whole", 0.5, 0.1),
        ]
    )


def test_values_are_those_worked_out_by_hand(records):
    assert ratios(records) == {("mean", ""): (3.0, None), ("ratio", "r8"): (0.5, None), ("whole", ""): (0.5, 0.1)}
    assert len(records) == 3 + 4 + 1, "an item without a value has no record"
    assert units_behind(records) == {("mean", ""): 2, ("ratio", "r8"): 2, ("whole", ""): 0}
    codes, count = unit_codes(records)
    assert (codes.tolist(), count) == ([1, 1, 2, 1, 1, 0, 2, -1], 3)


def test_weights_and_draws_agree_and_a_set_has_no_draws(records):
    codes, _ = unit_codes(records)
    draws = np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 1.0], [3.0, 0.0, 0.0]])
    replicates = ratio_replicates(records, draws)
    assert set(replicates) == {("mean", ""), ("ratio", "r8")}
    for number, draw in enumerate(draws):
        weighted = ratios(records, np.append(draw, 1.0)[codes])
        for key, values in replicates.items():
            assert values[number] == pytest.approx(weighted[key][0], nan_ok=True)
    assert replicates["mean", ""].tolist()[:2] == [3.0, pytest.approx(12 / 5)]
    assert np.isnan(replicates["mean", ""][2]), "nothing of it was drawn"
    assert set(ratio_replicates(records, draws, ["mean"])) == {("mean", "")}
