"""How wide intervals on ORL are when people are resampled, and when pairs are resampled as if they were independent.

Evaluates the task's table where it has not been evaluated yet, then works on the records.
"""

from __future__ import annotations

import statistics as numbers
from itertools import combinations

import numpy as np
from record import write

import ghbench
from ghbench.data.orl_pairs import fold_people
from ghbench.metrics.verification import fold_decisions
from ghbench.results import files, scoring
from ghbench.results.statistics import multiplicities

SYSTEM = "mobilenet-v2"
NEAR = 0.05
DRAWS = 2000
TABLE = (
    "pixels", "thumbnail", "random-projection", "hog", "eigenfaces", "mobilenet-v2", "efficientnet-lite0",
    "dinov2-small", "random-trunk", "random-trunk:seed=1", "random-trunk:seed=2",
)  # fmt: skip


def main() -> None:
    """Measure widths and write them down."""
    task = ghbench.load_task("orl")
    points, draws, records = {}, {}, {}
    for system in TABLE:
        result = ghbench.run(extractor=system, task=task)
        records[system] = files.load_records(files.path_of(result), result)
        points[system] = result.metric("accuracy").value
        draws[system] = scoring.replicates(task, records[system], draws=DRAWS)["accuracy", None]

    same, accepted = _one_division(records[SYSTEM])
    people = _width(_people_of_one_division(records[SYSTEM], task))
    pairs = _width(_pair_bootstrap(same, accepted))
    averaged = _width(draws[SYSTEM])

    near = [(a, b) for a, b in combinations(TABLE, 2) if abs(points[a] - points[b]) < NEAR]
    resolvable = [1.96 * float((draws[a] - draws[b]).std(ddof=1)) for a, b in near]
    comparisons = len(TABLE) * (len(TABLE) - 1) // 2
    strictest = [value / 1.96 * _normal_quantile(0.05 / comparisons) for value in resolvable]
    alone = {system: _people_of_one_division(found, task) for system, found in records.items()}
    one_division = [1.96 * float((alone[a] - alone[b]).std(ddof=1)) for a, b in near]
    naive = [1.96 * _naive_error(records[a], records[b]) for a, b in near]
    rows = [
        [f"{SYSTEM}, one division of people: pairs resampled", f"{100 * pairs:.2f}", "1"],
        [f"{SYSTEM}, one division of people: people resampled", f"{100 * people:.2f}", f"{people / pairs:.1f}"],
        [f"{SYSTEM}, as ranked (20 divisions averaged): people resampled", f"{100 * averaged:.2f}",
         f"{averaged / pairs:.1f}"],
    ]  # fmt: skip
    text = f"""
Width of the 95 % interval of `accuracy` on ORL, {DRAWS:,} draws. One division is the 1,800 matched and 6,000
mismatched pairs of the first of the task's 20 divisions of the people into folds. Pairs resampled: with replacement,
within each class, as if pairs that share a person were independent.

Resolvable differences: {len(near)} couples among {len(TABLE)} systems have accuracies less than {100 * NEAR:.0f} points
apart. For one such couple looked at alone, a difference is significant at the 5 % level from
{100 * numbers.median(resolvable):.1f} points in the median ({100 * min(resolvable):.1f} to
{100 * max(resolvable):.1f}; 1.96 standard errors of the paired difference over people, as ranked). In a table of
{len(TABLE)} systems the first step of Holm's correction, over {comparisons} comparisons, asks for
{100 * numbers.median(strictest):.1f} points in the median ({100 * min(strictest):.1f} to {100 * max(strictest):.1f}).
With one division instead of 20 the single couple needs {100 * numbers.median(one_division):.1f} points. Resampling
pairs of one division would have claimed {100 * numbers.median(naive):.1f} points.
"""
    write(
        "people_bootstrap",
        "Intervals over people and over pairs",
        text,
        ["interval", "width in points", "times the first"],
        rows,
        width={"pairs": pairs, "people": people, "people_20_divisions": averaged},
        ratio=people / pairs,
        ratio_20_divisions=averaged / pairs,
        resolvable={
            "median": numbers.median(resolvable), "smallest": min(resolvable), "largest": max(resolvable),
            "holm_first_step": numbers.median(strictest), "one_division": numbers.median(one_division),
            "pairs_resampled": numbers.median(naive),
        },
        couples=len(near),
        accuracies=points,
    )  # fmt: skip


def _division_rows(records):
    """Records of the first division, and their folds."""
    fold_of = np.empty(40, dtype=np.int64)
    for number, members in enumerate(fold_people(0)):
        fold_of[members] = number
    left, right = (fold_of[records[side].to_numpy()] for side in ("left_person", "right_person"))
    return np.flatnonzero(left == right), left[left == right]


def _one_division(records) -> tuple[np.ndarray, np.ndarray]:
    rows, fold = _division_rows(records)
    same = records["same"].to_numpy()[rows]
    similarity = records["similarity"].to_numpy(dtype=np.float64)[rows]
    assert (same.sum(), (~same).sum()) == (1800, 6000)
    return same, fold_decisions(similarity, same, fold).accepted


def _people_of_one_division(records, task) -> np.ndarray:
    rows, fold = _division_rows(records)
    one = records.iloc[rows].assign(draws=1, accepted=_one_division(records)[1].astype(int), fold=fold)
    return task.score_replicates(one, multiplicities(task.units(one).count, DRAWS))["accuracy", None]


def _pair_bootstrap(same: np.ndarray, accepted: np.ndarray, seed: int = 0) -> np.ndarray:
    """Accuracy with matched and mismatched pairs resampled: the counts of two binomial draws."""
    rng = np.random.default_rng(seed)
    right = [accepted[same].mean(), 1 - accepted[~same].mean()]
    sizes = [int(same.sum()), int((~same).sum())]
    return sum(rng.binomial(size, rate, DRAWS) / size for size, rate in zip(sizes, right, strict=True)) / 2


def _width(draws: np.ndarray) -> float:
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(high - low)


def _naive_error(first, second) -> float:
    """Standard error of the paired difference if pairs were independent, on one division."""
    same, one = _one_division(first)
    _, other = _one_division(second)
    parts = [(one[cls].astype(float) - other[cls]).var(ddof=1) / cls.sum() for cls in (same, ~same)]
    return float(np.sqrt(sum(parts)) / 2)


def _normal_quantile(two_sided: float) -> float:
    return numbers.NormalDist().inv_cdf(1 - two_sided / 2)


if __name__ == "__main__":
    main()
