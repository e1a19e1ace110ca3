"""The linear classifier that judges features: standardised, its strength chosen on validation rows, then refitted."""

from __future__ import annotations

from collections.abc import Sequence
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
        losses: Mean cross-entropy on the validation rows at each strength, in nats.
        at_edge: Whether it is the weakest or the strongest of those tried.
        refitted: Whether it was then fitted on training and validation rows together.
        gradient: Norm of the loss's gradient at the end.
        passes: Passes over the training rows until it was done.
    """

    strength: float
    losses: tuple[float, ...]
    at_edge: bool
    refitted: bool
    gradient: float
    passes: int


def linear_logits(
    features: Rows,
    classes: NDArray[np.int64],
    count: int,
    queries: Rows,
    *,
    strengths: Sequence[float] = STRENGTHS,
    validation: tuple[Rows, NDArray[np.int64]] | None = None,
    components: int = 0,
    seed: int = 0,
) -> tuple[Floats, Choice]:
    """Logits of a logistic regression on standardised features.

    The strength with the smallest cross-entropy on the validation rows is chosen. Without validation rows, a fifth of
    each class's training rows is held out for it, and all training rows are fitted again at that strength.

    Args:
        features: Training rows [N, D].
        classes: int64 [N], 0 to `count` - 1.
        count: Number of classes.
        queries: Rows [M, D] to classify.
        strengths: L2 strengths to try, see `fit_logistic`.
        validation: Validation rows and their classes; None holds training rows out.
        components: Principal components of the training rows that take the features' place; 0 for none.
        seed: Seed of what is held out.

    Returns:
        Logits float32 [M, C], and how the classifier came about.

    Raises:
        DataError: Fewer than two classes, or features that are not finite.
    """
    known: Rows = features
    known_classes = classes
    if validation is None:
        fitted, held = held_out(classes, seed)
        known, known_classes = Chosen(features, fitted), classes[fitted]
        validation = Chosen(features, held), classes[held]
        refitted = True
    else:
        refitted = False
    judged, truth = validation
    prepare = _preparation(known, components)
    tried = sorted(strengths)
    path = fit_logistic(prepare(known), known_classes, count, tried)
    losses = [cross_entropy(path.logits(prepare(judged), which), truth) for which in range(len(tried))]
    best = int(np.argmin(losses))
    at_edge = len(tried) > 1 and best in {0, len(tried) - 1}
    if refitted:
        prepare, best_only = _preparation(features, components), [tried[best]]
        path, which = fit_logistic(prepare(features), classes, count, best_only), 0
    else:
        which = best
    choice = Choice(
        tried[best], tuple(losses), at_edge, refitted, float(path.gradients[which]), int(path.passes[which])
    )
    return path.logits(prepare(queries), which), choice


def held_out(classes: NDArray[np.int64], seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to fit on and rows to choose on, drawn by class: a fifth, at least one of each class of two and more.

    Raises:
        DataError: Every class has a single row.
    """
    draw, held = np.random.default_rng([seed, 1]), []
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


class _preparation:  # noqa: N801 - a function with a memory
    """Brings rows into the space in which `by` are standardised, and projected if there are `components`."""

    def __init__(self, by: Rows, components: int) -> None:
        self.like = standardised(by, by)
        self.axes: tuple[Floats, Floats] | None = None
        if components:
            mean, variances, axes = scatter_axes(self.like, components)
            self.axes = mean, np.asarray(axes / np.sqrt(variances), np.float32)

    def __call__(self, rows: Rows) -> Transformed:
        first = Transformed(rows, self.like.mean, self.like.scale)
        return first if self.axes is None else Transformed(first, *self.axes)
