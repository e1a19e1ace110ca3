"""LFW's protocol and the people bootstrap against the ways in which they are usually written, in one run.

The pairs are made up in LFW's shape (ten folds of 300 matched and 300 mismatched pairs); the work is that of real ones.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from ghbench_tasks.verification.task import VerificationTask
from record import interleaved_seconds, write
from sklearn.metrics import roc_curve
from sklearn.model_selection import KFold

from ghbench.metrics.verification import balanced_accuracy, fold_decisions
from ghbench.results.statistics import multiplicities

FOLDS, PAIRS_A_CLASS = 10, 300
PEOPLE, DIM = 1500, 128
DRAWS, LOOP_DRAWS = 2000, 50
REPEATS = 7


def lfw_like(seed: int = 0) -> tuple[np.ndarray, ...]:
    """Distances, labels, folds and people of pairs: ten folds of 300 + 300, people in one fold only."""
    rng = np.random.default_rng(seed)
    centre = rng.standard_normal((PEOPLE, DIM)) / np.sqrt(DIM)
    people = np.arange(PEOPLE).reshape(FOLDS, -1)
    left, right, fold = [], [], []
    for number, inside in enumerate(people):
        matched = rng.choice(inside, PAIRS_A_CLASS)
        one = rng.choice(inside, PAIRS_A_CLASS)
        other = inside[(one - inside[0] + rng.integers(1, len(inside), PAIRS_A_CLASS)) % len(inside)]
        left += [matched, one]
        right += [matched, other]
        fold.append(np.full(2 * PAIRS_A_CLASS, number))
    first, second = np.concatenate(left), np.concatenate(right)
    images = [centre[side] + rng.standard_normal((len(side), DIM)) * 1.5 / np.sqrt(DIM) for side in (first, second)]
    unit = [image / np.linalg.norm(image, axis=1, keepdims=True) for image in images]
    return ((unit[0] - unit[1]) ** 2).sum(axis=1), first == second, np.concatenate(fold), first, second


def grid_in_a_loop(distance: np.ndarray, same: np.ndarray) -> list[float]:
    """4,000 thresholds tried one after the other in each fold, as face verification code often does."""
    thresholds = np.arange(0, 4, 0.001)
    accuracies = []
    for train, test in KFold(n_splits=FOLDS, shuffle=False).split(distance):
        rates = np.zeros(len(thresholds))
        for index, threshold in enumerate(thresholds):
            rates[index] = np.mean((distance[train] < threshold) == same[train])
        best = thresholds[np.argmax(rates)]
        accuracies.append(float(np.mean((distance[test] < best) == same[test])))
    return accuracies


def roc_curve_per_fold(similarity: np.ndarray, same: np.ndarray) -> list[float]:
    """The best point of scikit-learn's ROC curve of the training folds, threshold half-way to the next pair."""
    accuracies = []
    for train, test in KFold(n_splits=FOLDS, shuffle=False).split(similarity):
        far, tar, thresholds = roc_curve(same[train], similarity[train], drop_intermediate=False)
        best = int(np.argmax(tar - far))
        threshold = (thresholds[best] + thresholds[best + 1]) / 2
        accuracies.append(float(np.mean((similarity[test] > threshold) == same[test])))
    return accuracies


def exact(similarity: np.ndarray, same: np.ndarray, fold: np.ndarray, candidates: np.ndarray | None = None):
    """ghbench: one sort, cumulative counts."""
    accepted = fold_decisions(similarity, same, fold, candidates).accepted
    return [balanced_accuracy(accepted[fold == k], same[fold == k]) for k in range(FOLDS)]


def main() -> None:
    """Time everything and write it down."""
    distance, same, fold, first, second = lfw_like()
    grid = -np.arange(0, 4, 0.001)
    answers = {
        "ghbench": exact(-distance, same, fold),
        "ghbench on the grid": exact(-distance, same, fold, grid),
        "grid": grid_in_a_loop(distance, same),
        "roc_curve": roc_curve_per_fold(-distance, same),
    }
    _assert_same(answers["ghbench"], answers["roc_curve"], pairs=1)
    _assert_same(answers["ghbench on the grid"], answers["grid"], pairs=1)
    _assert_same(answers["ghbench"], answers["grid"], pairs=6)
    difference = abs(float(np.mean(answers["ghbench"]) - np.mean(answers["grid"])))
    seconds = interleaved_seconds(
        {
            "ghbench": lambda: exact(-distance, same, fold),
            "grid": lambda: grid_in_a_loop(distance, same),
            "roc_curve": lambda: roc_curve_per_fold(-distance, same),
        },
        REPEATS,
    )
    task, records = _task(), _records(-distance, same, fold, first, second)
    counts = multiplicities(PEOPLE, DRAWS)
    units = task.units(records)
    counts_used = counts[:, : units.count]

    def loop() -> np.ndarray:
        return np.array([task.score(records, units.weights(draw))[0].value for draw in counts_used[:LOOP_DRAWS]])

    together = task.score_replicates(records, counts_used)["accuracy", None]
    assert np.allclose(together[:LOOP_DRAWS], loop(), atol=1e-12), "every draw must have the value that score gives it"
    bootstrap = interleaved_seconds(
        {"ghbench": lambda: task.score_replicates(records, counts_used), "loop": loop}, repeats=3
    )
    per_draw = {"ghbench": bootstrap["ghbench"] / DRAWS, "loop": bootstrap["loop"] / LOOP_DRAWS}
    ratios = {
        "grid": seconds["grid"] / seconds["ghbench"],
        "roc_curve": seconds["roc_curve"] / seconds["ghbench"],
        "bootstrap_loop": per_draw["loop"] / per_draw["ghbench"],
    }
    _write(seconds, per_draw, ratios, answers, difference)


def _assert_same(one: list[float], other: list[float], pairs: int) -> None:
    """In every fold the same accuracy up to `pairs` of 600: rivals tell equally good thresholds apart by rounding."""
    worst = np.abs(np.array(one) - other).max() * 2 * PAIRS_A_CLASS
    assert worst <= pairs + 1e-9, f"a fold differs by {worst:.1f} pairs"


def _write(seconds, per_draw, ratios, answers, difference) -> None:
    mean = {name: float(np.mean(values)) for name, values in answers.items()}
    rows = [
        ["thresholds", "ghbench, exact", f"{seconds['ghbench'] * 1e3:.1f} ms", "1", f"{mean['ghbench']:.4f}"],
        [
            "thresholds",
            "scikit-learn roc_curve in each fold",
            f"{seconds['roc_curve'] * 1e3:.1f} ms",
            f"{ratios['roc_curve']:.1f}",
            f"{mean['roc_curve']:.4f}",
        ],
        [
            "thresholds",
            "grid of 4,000, NumPy and KFold",
            f"{seconds['grid'] * 1e3:.0f} ms",
            f"{ratios['grid']:.0f}",
            f"{mean['grid']:.4f}",
        ],
        ["people bootstrap", "ghbench, 2,000 draws", f"{per_draw['ghbench'] * DRAWS:.2f} s", "1", "same, draw by draw"],
        [
            "people bootstrap",
            f"loop over `score` with weights, {LOOP_DRAWS} draws extrapolated to 2,000",
            f"{per_draw['loop'] * DRAWS:.1f} s",
            f"{ratios['bootstrap_loop']:.1f}",
            "same, draw by draw",
        ],
    ]
    text = f"""
6,000 pairs in ten folds, made-up features. Median of {REPEATS} repeats (bootstrap: 3), the ways taking turns.
Asserted in the run: in every fold exact thresholds give the accuracy of roc_curve, and ghbench on the grid's
candidates gives that of the grid, up to one pair of 600 (rivals tell equally good thresholds apart by rounding); grid
and exact differ by {difference:.4f} in the mean. The bootstrap gives accuracy, AUC, EER and TAR at FAR of every draw,
in both ways.

The loop over `score` is ghbench's own pure function, which is the honest rival: a loop that rebuilds index arrays of
resampled pairs does more work.
"""
    write(
        "verification",
        "Verification: thresholds and intervals",
        text,
        ["part", "way", "time", "times ghbench", "accuracy"],
        rows,
        seconds=seconds,
        seconds_per_draw=per_draw,
        ratios=ratios,
        accuracies=mean,
    )


def _task() -> VerificationTask:
    def none() -> object:
        raise AssertionError("records are given; no images are loaded")

    return VerificationTask("lfw-like", none, none, {"folds": FOLDS})


def _records(similarity, same, fold, first, second) -> pd.DataFrame:
    accepted = fold_decisions(similarity, same, fold).accepted
    return pd.DataFrame(
        {
            "level": pd.Categorical([None] * len(same)),
            "left_person": first,
            "right_person": second,
            "same": same,
            "similarity": similarity,
            "draws": 1,
            "accepted": accepted.astype(int),
            "fold": fold,
        }
    )


if __name__ == "__main__":
    main()
