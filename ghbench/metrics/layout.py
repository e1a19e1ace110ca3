"""Errors of room layouts: angles between lines and between directions, overlap of maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def line_angles(predicted: Floats, truth: Floats) -> Floats:
    """Angle between lines, which have no direction.

    Args:
        predicted: [..., 2] multiples of cosine and sine of twice the angle of each line.
        truth: [..., 2] the same of the true ones.

    Returns:
        [...] radians, from 0 to pi / 2.
    """
    one, two = (np.arctan2(pairs[..., 1], pairs[..., 0]) for pairs in (predicted, truth))
    found: Floats = np.abs((one - two + np.pi) % (2 * np.pi) - np.pi) / 2
    return found


def unit_angles(predicted: Floats, truth: Floats) -> Floats:
    """Angle between directions of any length.

    Args:
        predicted: [N, D].
        truth: [N, D].

    Returns:
        [N] radians, from 0 to pi; a right angle where one has no length.
    """
    lengths = np.linalg.norm(predicted, axis=1) * np.linalg.norm(truth, axis=1)
    products = np.einsum("nd,nd->n", predicted, truth)
    cosines = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    found: Floats = np.arccos(np.clip(cosines, -1, 1))
    return found


def map_iou(predicted: NDArray[np.integer], truth: NDArray[np.integer], count: int) -> Floats:
    """Intersection over union of each class that is in either map, averaged over these classes.

    Args:
        predicted: [N, P] class of each place.
        truth: [N, P].
        count: Number of classes.

    Returns:
        [N] from 0 to 1.
    """
    classes = np.arange(count)[:, None]
    one, two = predicted[:, None] == classes, truth[:, None] == classes
    union = (one | two).sum(axis=2)
    shares = np.divide((one & two).sum(axis=2), union, out=np.zeros(union.shape), where=union > 0)
    found: Floats = shares.sum(axis=1) / (union > 0).sum(axis=1)
    return found
