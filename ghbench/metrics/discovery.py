"""How well directions single out attributes: the author's two scores, and the same with their weaknesses mended."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EFFECT, LEAD = 0.8, 2.0
"""A direction has an attribute's name if it moves it by so many standard deviations, and so many times the next one."""


def disentanglement(shifts: Floats, *, normalised: bool = True) -> float:
    """Mean over directions of the largest less the second largest change.

    Source: `eval_nav_nb` of zhuxinqimac/stylegan2-ada-pytorch, branch `group`. Attributes keep their own scales, as
    there, so that predictors with large numbers win; see `standardised`.

    Args:
        shifts: Changes [K, A] by direction and attribute; signs do not count.
        normalised: Whether each direction's largest change counts as 1; a direction that changes nothing scores 0.
    """
    ordered = np.sort(_relative(shifts) if normalised else np.abs(shifts), axis=1)
    return float((ordered[:, -1] - ordered[:, -2]).mean())


def selectivity(shifts: Floats, least: float) -> float:
    """The same, of directions that move something far enough; others count 0, so that noise is not selective.

    Args:
        shifts: Changes [K, A] in standard deviations of each attribute.
        least: Least largest change.
    """
    ordered = np.sort(_relative(shifts), axis=1)
    far = np.abs(shifts).max(axis=1) >= least
    return float((far * (ordered[:, -1] - ordered[:, -2])).mean())


def discovered(shifts: Floats) -> int:
    """Number of attributes that are the most changed one of some direction; ties count all of them.

    Source: as `disentanglement`. A change counts however small it is.
    """
    return int((_relative(shifts) == 1).any(axis=0).sum())


def named(shifts: Floats, *, effect: float = EFFECT, lead: float = LEAD) -> NDArray[np.bool_]:
    """Attributes [A] that some direction moves far enough, and by far most.

    Args:
        shifts: Changes [K, A] in standard deviations of each attribute.
        effect: Least change.
        lead: Least ratio to the direction's second largest change.
    """
    sizes = np.abs(shifts)
    ordered = np.sort(sizes, axis=1)
    clear = (ordered[:, -1] >= effect) & (ordered[:, -1] >= lead * ordered[:, -2])
    found = np.zeros(shifts.shape[1], bool)
    found[sizes.argmax(axis=1)[clear]] = True
    return found


def rows_in_use(directions: NDArray[np.floating]) -> Floats:
    """In how many rows of W+ each direction acts: the exponential of the entropy of its squared norms by row.

    Args:
        directions: [K, L, D].

    Returns:
        [K], from 1 to L; 0 for a direction of zeros.
    """
    energy = np.square(np.asarray(directions, np.float64)).sum(axis=2)
    total = energy.sum(axis=1, keepdims=True)
    share = np.divide(energy, total, out=np.zeros_like(energy), where=total > 0)
    entropy = -(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1)
    return np.asarray(np.where(total[:, 0] > 0, np.exp(entropy), 0.0))


def _relative(shifts: Floats) -> Floats:
    sizes = np.abs(np.asarray(shifts, np.float64))
    largest = sizes.max(axis=1, keepdims=True)
    return np.asarray(np.divide(sizes, largest, out=np.zeros_like(sizes), where=largest > 0))
