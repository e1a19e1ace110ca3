"""Disentanglement metrics against plain loops over the formulas, with NumPy and scikit-learn, at equal scores.

Codes are a noisy mixture of the factors of sprites: 10,000 rows to learn from, 5,000 to judge on. The loops are those
that a reader of the papers writes down. What is drawn at random each way draws anew, so those scores differ by chance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from record import interleaved_seconds, write
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score, roc_auc_score

from ghbench.allocation import keep_freed_memory
from ghbench.data.sprites import FACTORS
from ghbench.metrics.disentanglement import information, robustness, separation, unsupervised, voting

KNOWN, JUDGED, CODES, NOISE, REPEATS = 10_000, 5_000, 10, 0.1, 5
TRAIN, TEST, BATCH = 10_000, 5_000, 64
SIZES = tuple(FACTORS.values())
AIMS = {"mig": 20, "factor-vae": 50, "suite": 10}
"""How many times faster we want to be; the suite is all of them, without boosted trees."""
SAMPLED, LEARNED, EXACT = 0.02, 2e-3, 1e-9
"""Largest difference of scores that are drawn at random, that are learned, and of all others."""


def table() -> tuple[np.ndarray, np.ndarray]:
    """Codes [N, d] and factors [N, K]."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, SIZES, (KNOWN + JUDGED, len(SIZES)))
    mixed = np.tanh((factors / np.array(SIZES) - 0.5) @ rng.normal(size=(len(SIZES), CODES)))
    return mixed + NOISE * rng.normal(size=mixed.shape), factors


def plain_information(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Mutual information [d, K] of binned codes and factors."""
    found = np.zeros((codes.shape[1], factors.shape[1]))
    for i in range(codes.shape[1]):
        numbers = np.digitize(codes[:, i], np.histogram(codes[:, i], information.BINS)[1][:-1])
        for j in range(factors.shape[1]):
            found[i, j] = mutual_info_score(factors[:, j], numbers)
    return found


def plain_mig(codes: np.ndarray, factors: np.ndarray) -> float:
    """Mutual information gap."""
    shared, gaps = plain_information(codes, factors), []
    for j in range(factors.shape[1]):
        ordered = sorted(shared[:, j], reverse=True)
        gaps.append((ordered[0] - ordered[1]) / mutual_info_score(factors[:, j], factors[:, j]))
    return float(np.mean(gaps))


def plain_modularity(codes: np.ndarray, factors: np.ndarray) -> float:
    """Modularity."""
    scores = []
    for row in plain_information(codes, factors):
        best = row.argmax()
        rest = sum(row[j] ** 2 for j in range(len(row)) if j != best)
        scores.append(1 - rest / (row[best] ** 2 * (len(row) - 1)))
    return float(np.mean(scores))


def plain_sap(codes: np.ndarray, factors: np.ndarray) -> float:
    """Separated attribute predictability, of squared correlations."""
    gaps = []
    for j in range(factors.shape[1]):
        found = sorted(
            (np.corrcoef(codes[:, i], factors[:, j])[0, 1] ** 2 for i in range(codes.shape[1])), reverse=True
        )
        gaps.append(found[0] - found[1])
    return float(np.mean(gaps))


def plain_factor_vae(codes: np.ndarray, factors: np.ndarray) -> float:
    """FactorVAE's score, a vote at a time."""
    rng, whole = np.random.default_rng(1), codes.var(axis=0, ddof=1)
    active = [i for i in range(codes.shape[1]) if np.sqrt(whole[i]) >= voting.PRUNED]
    votes = np.zeros((2, len(active), factors.shape[1]), int)
    for number in range(TRAIN + TEST):
        factor = rng.integers(factors.shape[1])
        value = factors[rng.integers(len(factors)), factor]
        rows = rng.choice(np.flatnonzero(factors[:, factor] == value), BATCH)
        local = codes[rows].var(axis=0, ddof=1)
        votes[int(number >= TRAIN), np.argmin(local[active] / whole[active]), factor] += 1
    right = sum(votes[1, i, votes[0, i].argmax()] for i in range(len(active)))
    return float(right / TEST)


def plain_beta_vae(codes: np.ndarray, factors: np.ndarray) -> float:
    """BetaVAE's score, a point at a time."""
    rng, points, labels = np.random.default_rng(1), [], []
    partners = [[np.flatnonzero(column == value) for value in range(column.max() + 1)] for column in factors.T]
    for _ in range(TRAIN + TEST):
        factor = rng.integers(factors.shape[1])
        first = rng.integers(len(factors), size=BATCH)
        second = [rng.choice(partners[factor][value]) for value in factors[first, factor]]
        points.append(np.abs(codes[first] - codes[second]).mean(axis=0))
        labels.append(factor)
    model = LogisticRegression(max_iter=1000).fit(points[:TRAIN], labels[:TRAIN])
    return float(model.score(points[TRAIN:], labels[TRAIN:]))


def plain_explicitness(known: np.ndarray, known_factors: np.ndarray, codes: np.ndarray, factors: np.ndarray) -> float:
    """Mean area under the ROC curves of logistic regressions."""
    mean, spread, scores = known.mean(axis=0), known.std(axis=0), []
    for j in range(factors.shape[1]):
        model = LogisticRegression(max_iter=1000).fit((known - mean) / spread, known_factors[:, j])
        chances = model.predict_proba((codes - mean) / spread)
        scores.append(np.mean([roc_auc_score(factors[:, j] == c, chances[:, c]) for c in range(chances.shape[1])]))
    return float(np.mean(scores))


def plain_irs(codes: np.ndarray, factors: np.ndarray) -> float:
    """Interventional robustness, a code and a factor at a time."""
    reach = [np.abs(column - column.mean()).max() for column in codes.T]
    best = []
    for i in range(codes.shape[1]):
        scores = []
        for j in range(factors.shape[1]):
            groups = [codes[factors[:, j] == value, i] for value in np.unique(factors[:, j])]
            off = [np.quantile(np.abs(group - group.mean()), robustness.QUANTILE) for group in groups]
            scores.append(1 - np.mean(off) / reach[i])
        best.append(max(scores))
    return float(np.average(best, weights=reach))


def plain_correlation(codes: np.ndarray, _: np.ndarray) -> float:
    """Total correlation of a normal distribution."""
    covariance = np.cov(codes.T)
    alone = sum(np.log(covariance[i, i]) for i in range(len(covariance)))
    return float(0.5 * (alone - np.log(np.linalg.det(covariance))))


def main() -> None:
    """Compare scores, take times, write the table."""
    keep_freed_memory()  # as the command line does, for both ways
    codes, factors = table()
    known, (own, truth) = (codes[:KNOWN], factors[:KNOWN]), (codes[KNOWN:], factors[KNOWN:])
    ways: dict[str, tuple[Callable[[], float], Callable[[], float], float]] = {
        "mig": (lambda: information.mig(own, truth), lambda: plain_mig(own, truth), EXACT),
        "modularity": (
            lambda: information.modularity(information.mutual_information(information.discretised(own), truth)),
            lambda: plain_modularity(own, truth), EXACT,
        ),
        "sap": (lambda: separation.sap_continuous(own, truth), lambda: plain_sap(own, truth), EXACT),
        "factor-vae": (lambda: voting.factor_vae(own, truth), lambda: plain_factor_vae(own, truth), SAMPLED),
        "beta-vae": (lambda: voting.beta_vae(own, truth), lambda: plain_beta_vae(own, truth), SAMPLED),
        "explicitness": (
            lambda: separation.explicitness(*known, own, truth), lambda: plain_explicitness(*known, own, truth),
            LEARNED,
        ),
        "irs": (lambda: robustness.irs(own, truth), lambda: plain_irs(own, truth), EXACT),
        "total-correlation": (
            lambda: unsupervised.total_correlation(own), lambda: plain_correlation(own, truth), 1e-6,
        ),
    }  # fmt: skip
    rows, numbers = [], {}
    taken = {"ours": 0.0, "plain": 0.0}
    for name, (ours, plain, tolerance) in ways.items():
        scores = ours(), plain()
        assert abs(scores[0] - scores[1]) <= tolerance, (name, scores)
        seconds = interleaved_seconds({"ours": ours, "plain": plain}, REPEATS)
        taken = {way: taken[way] + seconds[way] for way in taken}
        rows.append(_row(name, scores, seconds))
        numbers[name] = {"scores": scores, **seconds}
    rows.append(_row("suite", None, taken))
    numbers["suite"] = taken
    missed = [name for name, aim in AIMS.items() if numbers[name]["plain"] < aim * numbers[name]["ours"]]
    text = f"""
{JUDGED:,} codes of {CODES} numbers, factors with {", ".join(map(str, SIZES))} values; explicitness learns from
{KNOWN:,} more. FactorVAE and BetaVAE: {TRAIN:,} and {TEST:,} votes or points of {BATCH}. Median of {REPEATS}, one
thread each. *Suite* is the sum of the rows above it: the task without boosted trees. Scores agree to {EXACT:g}, those
that are learned to {LEARNED:g}, and those that each way draws for itself to {SAMPLED:g}.

Missed: {", ".join(f"{name} (aim {AIMS[name]} times)" for name in missed) or "no aim"}.
"""
    head = ["metric", "score", "plain score", "seconds", "plain seconds", "times faster", "aim"]
    write("disentanglement", "Disentanglement metrics against plain loops", text, head, rows, numbers=numbers)


def _row(name: str, scores: tuple[float, float] | None, seconds: dict[str, float]) -> list[str]:
    told = ["", ""] if scores is None else [f"{score:.4f}" for score in scores]
    ratio = seconds["plain"] / seconds["ours"]
    times = [f"{seconds[way]:.4f}" for way in ("ours", "plain")]
    return [name, *told, *times, f"{ratio:.1f}", str(AIMS.get(name, ""))]


if __name__ == "__main__":
    main()
