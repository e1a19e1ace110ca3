"""How often 95 % intervals hold the true value, and how often the paired test finds a difference that is not there.

Simulates what a verification task does, with people of whom some are harder than others, and scores it by the library's
own people bootstrap; then plain means over units. Each is measured beside percentiles and normal tails.
"""

from __future__ import annotations

import argparse
import math
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small matrices: one process a cell is faster

import numpy as np
from record import write

from ghbench.metrics.people_bootstrap import JudgedPairs, accuracy_replicates, roc_replicates
from ghbench.metrics.verification import fold_decisions, pair_similarity
from ghbench.results.statistics import interval, multiplicities, paired_difference

UNITS = (5, 8, 12, 20, 40)
DRAWS = 1000
FAR = 0.1
DIMENSIONS = 24
DIVISIONS = 5
SHARED = 0.6  # correlation of the two systems
HARDNESS = 0.2  # standard deviation, over people, of the logarithm of the noise around their images
NOISE = {
    ("accuracy", 0.85): 1.13, ("accuracy", 0.99): 0.48,
    ("auc", 0.85): 1.53, ("auc", 0.99): 0.73,
    ("tar@far=1e-1", 0.85): 1.06, ("tar@far=1e-1", 0.99): 0.64,
}  # fmt: skip
"""Noise around a person's images, against 1 between people, that gives about the true value."""
MEANS = {
    "mean, normal": (1.0, None, lambda rng, *shape: 1 + rng.normal(size=shape)),
    "mean, gamma (skewness 1)": (1.0, None, lambda rng, *shape: rng.gamma(4, 1 / 4, shape)),
    "mean, exponential (skewness 2)": (1.0, None, lambda rng, *shape: rng.exponential(1, shape)),
    "mean, lognormal (skewness 6)": (1.0, None, lambda rng, *shape: rng.lognormal(-0.5, 1, shape)),
    "mean in 0..1, .85 (beta 1.7, .3)": (0.85, (0.0, 1.0), lambda rng, *shape: rng.beta(1.7, 0.3, shape)),
    "mean in 0..1, .98 (beta 9.8, .2)": (0.98, (0.0, 1.0), lambda rng, *shape: rng.beta(9.8, 0.2, shape)),
}
"""True value, bounds and sampler; the last one is a stress test, in which a few units make nearly all errors."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One metric, true value and number of units.

    Args:
        metric: Name.
        units: Number of units.
        truth: True value; for `accuracy`, whose thresholds are learned from the other people, that of so many people.
        covers: Share of intervals that hold it.
        percentile_covers: Share of percentile intervals.
        claims: Share of significant differences between two equally good systems.
        normal_claims: The same with the normal tail.
        repetitions: Simulated samples; each has two systems, hence two intervals and one difference.
    """

    metric: str
    units: int
    truth: float
    covers: float
    percentile_covers: float
    claims: float
    normal_claims: float
    repetitions: int


def main() -> None:
    """Simulate all cells and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions, nothing is written")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    repetitions, people = (40, 4_000) if options.quick else (1_000, 24_000)
    with ProcessPoolExecutor(options.processes) as pool:
        truths = dict(zip(NOISE, pool.map(partial(population, people), *zip(*NOISE, strict=True)), strict=True))
        jobs = [(*kind, truth, units) for kind, truth in truths.items() for units in UNITS]
        rows = list(pool.map(partial(verification_cell, repetitions), *zip(*jobs, strict=True)))
        kinds = [(kind, units) for kind in MEANS for units in UNITS]
        rows += pool.map(partial(mean_cell, repetitions), *zip(*kinds, strict=True))
    if options.quick:
        print("\n".join(map(str, rows)))
        return
    record(rows, repetitions)


def systems(rng: np.random.Generator, people: int, noise: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """The person [N] of each image, and the features [N, D] of two equally good systems with correlated errors.

    People have 2 to 7 images. Identity, noise and hardness of each system are made of a common and an own part.
    """
    person = np.repeat(np.arange(people), rng.integers(2, 8, people))

    def two_normals(*shape: int) -> list[np.ndarray]:
        common = rng.normal(size=shape)
        return [math.sqrt(SHARED) * common + math.sqrt(1 - SHARED) * rng.normal(size=shape) for _ in range(2)]

    parts = zip(
        two_normals(people, DIMENSIONS), two_normals(len(person), DIMENSIONS), two_normals(people, 1), strict=True
    )
    return person, [who[person] + noise * np.exp(HARDNESS * hard[person]) * image for who, image, hard in parts]


def judged(person: np.ndarray, features: np.ndarray, fold: list[np.ndarray]) -> JudgedPairs:
    """All pairs; given divisions of the people into folds, those that a fold holds, judged out of fold."""
    left, right = np.triu_indices(len(person), 1)
    first, second = person[left], person[right]
    same, similarity = first == second, pair_similarity(features, left, right)
    accepted, decided = np.zeros(len(left)), np.zeros(len(left))
    for fold_of in fold:
        within = np.flatnonzero(fold_of[first] == fold_of[second])
        accepted[within] += fold_decisions(similarity[within], same[within], fold_of[first[within]]).accepted
        decided[within] += 1
    kept = decided > 0 if fold else np.ones(len(left), dtype=bool)
    decided = decided if fold else np.ones(len(left))
    return JudgedPairs(*(part[kept] for part in (similarity, same, accepted, decided, first, second)))


def replicates(metric: str, pairs: JudgedPairs, counts: np.ndarray) -> np.ndarray:
    """The metric of every draw."""
    if metric == "accuracy":
        return accuracy_replicates(pairs, counts)
    return roc_replicates(pairs, counts, [FAR])["auc" if metric == "auc" else FAR]


def population(people: int, metric: str, about: float) -> float:
    """True AUC or TAR: of many people, 400 at a time. NaN for `accuracy`, which has none apart from a sample's size."""
    if metric == "accuracy":
        return float("nan")
    rng = np.random.default_rng([1, round(1000 * about)])
    values = []
    for _ in range(people // 800):
        person, both = systems(rng, 400, NOISE[metric, about])
        for features in both:
            pairs = judged(person, features, [])
            genuine, impostors = pairs.similarity[pairs.same], np.sort(pairs.similarity[~pairs.same])
            below = np.searchsorted(impostors, genuine) / len(impostors)
            values.append(below.mean() if metric == "auc" else (below >= 1 - FAR).mean())
    return float(np.mean(values))


def verification_cell(repetitions: int, metric: str, about: float, truth: float, people: int) -> Cell:
    """Simulate verification of so many people again and again."""
    rng = np.random.default_rng([4, round(1000 * about), people])
    counts = np.concatenate([np.ones((1, people)), multiplicities(people, DRAWS)])  # first the point value
    folds = np.arange(people) % max(2, min(10, people // 2))
    samples = []
    for _ in range(repetitions):
        person, both = systems(rng, people, NOISE[metric, about])
        fold = [rng.permutation(folds) for _ in range(DIVISIONS)] if metric == "accuracy" else []
        samples.append([replicates(metric, judged(person, features, fold), counts) for features in both])
    return measured(f"{metric}, about {about}".replace("0.", "."), people, truth, np.array(samples), (0.0, 1.0))


def mean_cell(repetitions: int, kind: str, units: int) -> Cell:
    """Simulate means over units; where the two systems do not share a unit's value, each has its own."""
    truth, bounds, sample = MEANS[kind]
    rng = np.random.default_rng([5, units])
    counts = np.concatenate([np.ones((1, units)), multiplicities(units, DRAWS)]) / units
    samples = []
    for _ in range(repetitions):
        common, *own = sample(rng, 3, units)
        alone = rng.random((2, units)) < 1 - SHARED  # a mixture keeps the distribution, a sum would not
        samples.append([counts @ np.where(mask, mine, common) for mask, mine in zip(alone, own, strict=True)])
    return measured(kind, units, truth, np.array(samples), bounds)


def measured(metric: str, units: int, truth: float, samples: np.ndarray, bounds: tuple[float, float] | None) -> Cell:
    """Count covering intervals and false claims.

    Args:
        metric: Name of the row.
        units: Number of units.
        truth: True value, NaN for the mean of the samples.
        samples: float64 [repetitions, 2, 1 + B]; point value and draws of two systems.
        bounds: Bounds of the metric.
    """
    if math.isnan(truth):
        truth = float(np.nanmean(samples[:, :, 0]))
    covered, percentile, claims, normal = [], [], [], []
    for both in samples:
        for value, draws in zip(both[:, 0], both[:, 1:], strict=True):
            low, high = interval(value, draws, units, bounds)
            covered.append(low <= truth <= high)
            low, high = np.nanquantile(draws, [0.025, 0.975])
            percentile.append(low <= truth <= high)
        (first, second), (first_draws, second_draws) = both[:, 0], both[:, 1:]
        claims.append(paired_difference(first, second, first_draws, second_draws, units).p_value < 0.05)
        error = np.nanstd(first_draws - second_draws, ddof=1)
        normal.append(abs(first - second) > 1.96 * error + 1e-12)
    shares = [float(np.mean(hits)) for hits in (covered, percentile, claims, normal)]
    return Cell(metric, units, truth, *shares, repetitions=len(samples))


def record(cells: list[Cell], repetitions: int) -> None:
    """Write the table: coverage and false claims by number of units."""
    table: dict[str, list[Cell]] = {}
    for cell in cells:
        table.setdefault(cell.metric, []).append(cell)
    rows = []
    for what, now, before in (
        ("coverage", "covers", "percentile_covers"),
        ("false claims", "claims", "normal_claims"),
    ):
        for metric, row in table.items():
            shown = [f"{100 * getattr(cell, now):.1f} ({100 * getattr(cell, before):.0f})" for cell in row]
            rows.append([what, metric, *shown])
    monte_carlo = 100 * math.sqrt(0.05 * 0.95 / repetitions)
    text = f"""
Per cent of {repetitions:,} simulated samples a cell. Coverage: 95 % intervals that hold the true value, of two systems
a sample; it should be 95. False claims: significant paired differences at the 5 % level between two equally good
systems with correlated errors; they should be at most 5. In parentheses: percentile intervals, and the normal tail of
the same bootstrap error. Monte-Carlo error: {monte_carlo:.1f} points (one standard error near 95 and near 5).

Verification: people with 2 to 7 images, features of {DIMENSIONS} dimensions whose noise differs from person to person
(standard deviation of its logarithm {HARDNESS}), all matched and mismatched pairs, {DRAWS:,} draws of people. Accuracy
takes its thresholds from other folds of people, {DIVISIONS} divisions averaged, and its true value is the mean over the
samples; true AUC and TAR are those of 24,000 people. FAR .1 needs 15 people to be reported at all; fewer are shown to
see what would happen. Means: of independent values; in the last row a few units make nearly all errors.
"""
    write(
        "coverage",
        "Coverage of intervals and false claims",
        text,
        ["what", "metric", *(f"{units} units" for units in UNITS)],
        rows,
        cells=[{name: getattr(cell, name) for name in Cell.__slots__} for cell in cells],
        monte_carlo_error_in_points=monte_carlo,
    )


if __name__ == "__main__":
    main()
