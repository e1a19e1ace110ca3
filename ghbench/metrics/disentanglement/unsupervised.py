"""Scores of codes that need no factors: dependence of codes on one another, and UDR, the agreement of trainings."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ghbench.metrics.disentanglement.information import BINS, discretised, mutual_information

Floats = NDArray[np.float64]
Kind = Literal["lasso", "spearman"]
PENALTY, INFORMATIVE = 0.1, 0.01
"""Lasso's penalty; codes of a smaller divergence from the prior (nats) are not counted."""


def total_correlation(codes: NDArray[np.floating[Any]]) -> float:
    """Total correlation in nats of a normal distribution with the codes' covariance; 0 for uncorrelated codes."""
    covariance = np.cov(np.asarray(codes, np.float64), rowvar=False)
    return float(0.5 * (np.log(np.diag(covariance)).sum() - np.linalg.slogdet(covariance)[1]))


def wasserstein_correlation(codes: NDArray[np.floating[Any]], *, normalised: bool = False) -> float:
    """Squared Wasserstein distance of that normal distribution from the product of its marginals.

    Args:
        codes: [N, d].
        normalised: Whether it is divided by the sum of the variances.
    """
    covariance = np.cov(np.asarray(codes, np.float64), rowvar=False)
    spread = np.sqrt(np.diag(covariance))
    values = np.linalg.eigvalsh(spread[:, None] * covariance * spread)
    found = 2 * np.trace(covariance) - 2 * np.sqrt(values.clip(0)).sum()
    return float(found / np.trace(covariance) if normalised else found)


def mean_information(codes: NDArray[np.floating[Any]], bins: int = BINS) -> float:
    """Mean mutual information in nats of two different codes."""
    numbers = discretised(codes, bins)
    table, count = mutual_information(numbers, numbers), codes.shape[1]
    return float((table.sum() - np.trace(table)) / (count * count - count))


def udr(
    tables: list[NDArray[np.floating[Any]]], divergences: list[Floats] | None = None, kind: Kind = "lasso"
) -> Floats:
    """Unsupervised disentanglement ranking (Duan et al. 2020): the median agreement of each training with the others.

    Args:
        tables: Codes [N, d] of the same items by each of M trainings of one method.
        divergences: Divergence of each code from the prior [d], by training; None: all codes count.
        kind: How codes are compared: coefficients of a lasso, or rank correlations.

    Returns:
        [M].
    """
    count = len(tables)
    kept = [np.ones(table.shape[1], bool) for table in tables]
    if divergences is not None:
        kept = [np.asarray(one) > INFORMATIVE for one in divergences]
    agreement = np.full((count, count), np.nan)
    for i in range(count):
        for j in range(count):
            if i != j:
                agreement[i, j] = matching(likeness(tables[i], tables[j], kind), kept[i], kept[j])
    return np.asarray(np.nanmedian(agreement, axis=0))


def likeness(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]], kind: Kind = "lasso") -> Floats:
    """How much each code of one training [d] has to do with each of another [e]: [d, e], not negative."""
    if kind == "spearman":
        from scipy.stats import rankdata

        ranks = [rankdata(table, axis=0) for table in (one, other)]
        return np.asarray(np.abs(_standardised(ranks[0]).T @ _standardised(ranks[1]) / len(one)))
    from sklearn.linear_model import Lasso

    model = Lasso(alpha=PENALTY).fit(_standardised(one), _standardised(other))
    return np.asarray(np.abs(np.atleast_2d(model.coef_)).T)


def matching(table: Floats, kept: NDArray[np.bool_], other_kept: NDArray[np.bool_]) -> float:
    """How far likeness [d, e] pairs codes off: mean over rows and columns of the largest, squared, over the sum."""
    table = table * kept[:, None] * other_kept
    parts = []
    for axis, alive in ((0, other_kept), (1, kept)):
        total, largest = table.sum(axis=axis), table.max(axis=axis)
        share = np.divide(np.square(largest), total, out=np.zeros_like(total), where=total > 0)
        parts.append(share[alive].sum() / max(int(alive.sum()), 1))
    return float(np.mean(parts))


def _standardised(table: NDArray[np.floating[Any]]) -> Floats:
    values = np.asarray(table, np.float64) - np.mean(table, axis=0)
    spread = values.std(axis=0)
    return np.asarray(values / np.where(spread > 0, spread, 1.0))
