"""Seeds have one purpose each."""

from itertools import combinations

import pytest

from ghbench.errors import UsageError
from ghbench.seeds import RANGES, purpose_of, seeds_for


def test_the_ranges_of_purposes_are_disjoint():
    for one, other in combinations(RANGES.values(), 2):
        assert one.stop <= other.start or other.stop <= one.start


def test_what_published_weights_were_fitted_and_watched_on_keeps_its_purpose():
    assert purpose_of(0, 1_000_000) == "train"
    assert purpose_of(1_000_000, 1_000_000) == "monitoring"
    assert [purpose_of(million * 1_000_000, 1) for million in (2, 3, 4)] == ["metric-fitting", "selection", "test"]


@pytest.mark.parametrize(
    ("first", "count"), [(999_999, 2), (0, 1_000_001), (4_999_999, 2), (-1, 2), (5_000_000, 1), (7, 0)]
)
def test_seeds_of_several_purposes_or_none_are_refused(first, count):
    with pytest.raises(UsageError, match=r"one purpose: train 0 to 999,999, monitoring 1,000,000 to 1,999,999"):
        purpose_of(first, count)


def test_the_first_seeds_of_a_purpose():
    assert seeds_for("test", 3) == range(4_000_000, 4_000_003)
    with pytest.raises(UsageError):
        seeds_for("selection", 1_000_001)
