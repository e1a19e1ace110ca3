"""Ridge regression of several groups of numbers, each at a strength of its own, chosen on rows that did not teach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError
from ghbench.probes.ridge import RidgeChoice, RidgePath, choose_strength, fit_ridge
from ghbench.probes.rows import Rows, standardised

STRENGTHS = tuple(float(f"{10**power:.3g}") for power in np.arange(-1, 8.5, 0.5))
HELD_OUT = 0.2
"""Share of the training rows on which strengths are chosen where there are no validation rows."""

Targets = NDArray[np.floating[Any]]


def ridge_answers(
    known: tuple[Rows, Targets],
    queries: Rows,
    groups: Mapping[str, slice],
    *,
    validation: tuple[Rows, Targets] | None = None,
    held_out: NDArray[np.bool_] | None = None,
    strengths: Sequence[float] = STRENGTHS,
) -> tuple[NDArray[np.float64], Mapping[str, RidgeChoice]]:
    """Fit, choose, and predict; features are standardised on the rows that teach, targets to about unit variance.

    Args:
        known: Features [N, D] and targets [N, T] of training rows.
        queries: Features [Q, D] of the rows to predict.
        groups: Columns of the targets that share a strength and a unit, by name; together all of them.
        validation: Rows on which strengths are chosen; None: some of the training rows, after which all are fitted
            again.
        held_out: bool [N] those training rows; None: a fifth, drawn with a fixed seed.
        strengths: Those to try, on the scatter of standardised features.

    Returns:
        Predictions float64 [Q, T], and the choice of each group.

    Raises:
        DataError: A number is not finite, or there are too few rows.
    """
    features, targets = known
    again = validation is None
    if validation is None:
        if held_out is None:
            held_out = np.random.default_rng(0).permutation(len(features)) < round(HELD_OUT * len(features))
        if not 0 < held_out.sum() < len(features):
            raise DataError(f"{len(features)} rows, {held_out.sum()} of them to choose on; expected both kinds")
        taught, chosen = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        features, targets, validation = features[taught], targets[taught], (features[chosen], targets[chosen])
    scale = _scales(targets, groups)
    path = fit_ridge(standardised(features, features)[:], targets / scale)
    checked = standardised(validation[0], features)[:]
    choices = {
        name: choose_strength(_columns(path, columns), checked, validation[1][:, columns] / scale[columns], strengths)
        for name, columns in groups.items()
    }
    if again:
        features, targets = known
        path = fit_ridge(standardised(features, features)[:], targets / scale)
    asked, predicted = standardised(queries, features)[:], np.empty((len(queries), targets.shape[1]))
    for name, columns in groups.items():
        predicted[:, columns] = _columns(path, columns).predict(asked, [choices[name].strength])[0]
    if not np.isfinite(predicted).all():
        raise DataError("rows to predict are not finite")
    return predicted * scale, choices


def _scales(targets: Targets, groups: Mapping[str, slice]) -> NDArray[np.float64]:
    """Standard deviations, none below a tenth of the largest of its group: what hardly varies would decide alone."""
    deviation: NDArray[np.float64] = targets.std(axis=0, dtype=np.float64)
    for columns in groups.values():
        least = 0.1 * deviation[columns].max(initial=0)
        deviation[columns] = np.maximum(deviation[columns], least) if least > 0 else 1
    return deviation


def _columns(path: RidgePath, columns: slice) -> RidgePath:
    return replace(path, offset=path.offset[columns], projections=path.projections[:, columns])
