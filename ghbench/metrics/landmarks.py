"""Errors of facial landmarks: normalised mean error, failures, the area below the cumulative error distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NORMALISERS = {
    68: ("distance of the outer eye corners", ((36,), (45,))),
    5: ("distance of the eyes", ((0,), (1,))),
}
"""By the number of points: what errors are divided by, and the points between whose means it is measured.

68 points: Sagonas et al., 300 Faces in-the-Wild Challenge, IMAVIS 2016. Five: Zhang et al., TCDCN, ECCV 2014.
"""


def normaliser(points: Floats) -> Floats:
    """What the errors of each face are divided by: float64 [N].

    Args:
        points: float64 [N, P, 2] true points, P being 5 or 68.
    """
    one, two = (points[:, list(which)].mean(axis=1) for which in NORMALISERS[points.shape[1]][1])
    found: Floats = np.linalg.norm(one - two, axis=1)
    return found


def normalised_errors(predicted: Floats, truth: Floats) -> Floats:
    """Mean distance of a face's points to the true ones, over the normaliser: float64 [N].

    Args:
        predicted: float64 [N, P, 2].
        truth: float64 [N, P, 2].
    """
    distances = np.linalg.norm(predicted - truth, axis=2).mean(axis=1)
    found: Floats = distances / normaliser(truth)
    return found


def ced_area(errors: Floats, most: float, sample_weight: Floats | None = None) -> float:
    """Area below the cumulative error distribution from 0 to `most`, over `most`: 1 where all errors are 0.

    It is exact: each error e contributes max(0, 1 - e / most).

    Args:
        errors: float64 [N].
        most: Where the integral ends.
        sample_weight: float64 [N], None for all ones.
    """
    return float(np.average(np.clip(1 - errors / most, 0, None), weights=sample_weight))
