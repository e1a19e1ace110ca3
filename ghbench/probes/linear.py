"""The linear classifier that judges features: standardised, its strength chosen on validation rows, then refitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError
from ghbench.probes.logistic import STRENGTHS, fit_logistic
from ghbench.probes.rows import Chosen, Floats, Rows, Transformed, scatter_axes, standardised

HELD_OUT = 0.2
"""Share of the training rows on which the strength is chosen, unless there are validation rows."""


@dataclass(frozen=True, eq=False)
class Choice:
    """How a classifier came about.

    Args:
        strength: Of the L2 penalty.
        at_edge: Whether it is the weakest or the strongest of those tried.
        converged: Whether the minimum was reached.
        gradient: Norm of the loss's gradient at the end.
    """

    strength: float
    at_edge: bool
    converged: bool
    gradient: float


def linear_logits(
    features: Rows,
    classes: NDArray[np.int64],
    count: int,
    queries: Rows,
    *,
    validation: tuple[Rows, NDArray[np.int64]] | None = None,
    components: int = 0,
) -> tuple[Floats, Choice]:
    """Logits of a logistic regression on standardised features.

    The strength with the smallest cross-entropy on the validation rows is chosen. Without validation rows, a fifth of
    each class's training rows is held out for it, and all training rows are fitted again at that strength.

    Args:
        features: Training rows [N, D].
        classes: int64 [N], 0 to `count` - 1.
        count: Number of classes.
        queries: Rows [M, D] to classify.
        validation: Validation rows and their classes; None holds training rows out.
        components: Principal components of the training rows that take the features' place; 0 for none.

    Returns:
        Logits float32 [M, C], and how the classifier came about.

    Raises:
        DataError: Fewer than two classes, or features that are not finite.
    """
    known: Rows = features
    known_classes = classes
    if validation is None:
        fitted, held = held_out(classes)
        known, known_classes = Chosen(features, fitted), classes[fitted]
        validation = Chosen(features, held), classes[held]
        refitted = True
    else:
        refitted = False
    judged, truth = validation
    prepare = _preparation(known, components)
    path = fit_logistic(prepare(known), known_classes, count)
    losses = [cross_entropy(path.logits(prepare(judged), place), truth) for place in range(len(STRENGTHS))]
    which = int(np.argmin(losses))
    strength, at_edge = STRENGTHS[which], which in {0, len(STRENGTHS) - 1}
    if refitted:
        prepare, which = _preparation(features, components), 0
        path = fit_logistic(prepare(features), classes, count, [strength])
    choice = Choice(strength, at_edge, bool(path.converged[which]), float(path.gradients[which]))
    return path.logits(prepare(queries), which), choice


def held_out(classes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to fit on and rows to choose on, drawn by class: a fifth, at least one of each class of two and more.

    Raises:
        DataError: Every class has a single row.
    """
    draw, held = np.random.default_rng([0, 1]), []
    for one in np.unique(classes):
        rows = np.flatnonzero(classes == one)
        number = max(1, round(HELD_OUT * len(rows))) if len(rows) > 1 else 0
        held.append(draw.permutation(rows)[:number])
    chosen = np.sort(np.concatenate(held))
    if not len(chosen):
        raise DataError("every class has a single training image; none can be held out to choose a strength on")
    return np.setdiff1d(np.arange(len(classes)), chosen), chosen


def cross_entropy(logits: Floats, classes: NDArray[np.int64]) -> float:
    """Mean cross-entropy of logits [N, C], in nats."""
    exact = logits.astype(np.float64)
    largest = exact.max(axis=1)
    sums = np.log(np.exp(exact - largest[:, None]).sum(axis=1)) + largest
    return float((sums - exact[np.arange(len(exact)), classes]).mean())


def _preparation(by: Rows, components: int) -> Callable[[Rows], Transformed]:
    """Brings rows into the space in which `by` are standardised, and projected if there are `components`."""
    like = standardised(by, by)
    if not components:
        return lambda rows: Transformed(rows, like.mean, like.scale)
    mean, variances, axes = scatter_axes(like, components)
    whitened = np.asarray(axes / np.sqrt(variances), np.float32)
    return lambda rows: Transformed(Transformed(rows, like.mean, like.scale), mean, whitened)
