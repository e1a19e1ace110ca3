"""Multinomial logistic regression for a whole grid of L2 strengths at once.

The strengths share every pass over the features: logits of all of them are one matrix product. Each is minimised by
L-BFGS (Liu and Nocedal 1989) along the features' principal axes, where a bound on the Hessian is diagonal (Boehning
1992); later the Hessian's own diagonal takes the bound's place, so that classes which the features separate need few
passes too. Features are read in blocks and may be a memory-mapped file of float16.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError
from ghbench.probes.rows import Floats, Rows, Transformed, blocks, scatter_axes

STRENGTHS = tuple(float(f"{10**power:.3g}") for power in np.linspace(-6, 1, 15))
"""Usual strengths; on standardised features, their best one seldom is at an edge."""
MEMORY, PASSES = 10, 300
"""Steps that L-BFGS remembers, and passes over the features after which it stops."""
MEASURED = frozenset({5, 10, 20, 40, 80, 160})
"""Passes after which the diagonal of the Hessian is measured."""
TOLERANCE = 1e-6
"""Expected decrease of the loss in nats, or relative to it where it is above 1, below which a strength is done."""
_ARMIJO, _SHRINK, _LEAST = 1e-4, 0.3, 1e-6
_NUMBERS = 250_000_000  # of all strengths that are searched together, with what L-BFGS remembers of them


@dataclass(frozen=True, eq=False)
class LogisticPath:
    """Classifiers by strength: logits are features @ weights + bias.

    Args:
        strengths: S of them.
        weights: float32 [S, D, C].
        bias: float32 [S, C].
        losses: float64 [S], mean cross-entropy + strength / 2 * |weights|^2, in nats.
        gradients: float64 [S], Euclidean norm of the loss's gradient at the end, in the coordinates of the search.
        passes: int64 [S], passes over the features until each was done.
        converged: bool [S].
    """

    strengths: tuple[float, ...]
    weights: Floats
    bias: Floats
    losses: NDArray[np.float64]
    gradients: NDArray[np.float64]
    passes: NDArray[np.int64]
    converged: NDArray[np.bool_]

    def logits(self, features: Rows, which: int) -> Floats:
        """Logits [N, C] of features [N, D] at one of the strengths."""
        found = [
            np.asarray(features[block], np.float32) @ self.weights[which] + self.bias[which]
            for block in blocks(len(features), features.shape[1])
        ]
        return np.concatenate(found)


def fit_logistic(
    features: Rows, classes: NDArray[np.int64], count: int, strengths: Sequence[float] = STRENGTHS
) -> LogisticPath:
    """Minimise mean cross-entropy + strength / 2 * |weights|^2 for each strength; the bias is not penalised.

    Scikit-learn's `C` is 1 / (strength * N).

    Args:
        features: [N, D], of any floating type; read in blocks, never copied whole.
        classes: int64 [N], 0 to `count` - 1.
        count: Number of classes C.
        strengths: Positive.

    Raises:
        DataError: Other numbers of rows, fewer than two classes, a strength that is not positive, or features that are
            not finite.
    """
    rows = len(features)
    if rows != len(classes) or rows < 2 or count < 2 or len(np.unique(classes)) < 2:
        raise DataError(f"logistic regression of {len(classes)} rows in {count} classes on features {features.shape}")
    if not strengths or min(strengths) <= 0:
        raise DataError(f"strengths {list(strengths)}; expected positive numbers")
    if len(features) > features.shape[1]:
        search = _Search(features, classes, count)
        at_once = max(1, _NUMBERS // ((features.shape[1] + 1) * count * (2 * MEMORY + 8)))
        tried = [np.array(strengths[start : start + at_once]) for start in range(0, len(strengths), at_once)]
        return _joined([search.run(some) for some in tried])
    # With a penalty, weights lie in the span of the centred rows, which has fewer dimensions.
    mean, _, axes = scatter_axes(features)
    path = fit_logistic(Transformed(features, mean, axes)[:], classes, count, strengths)
    weights = np.stack([axes @ one for one in path.weights])
    return replace(path, weights=weights, bias=path.bias - mean @ weights)


def _joined(paths: Sequence[LogisticPath]) -> LogisticPath:
    """The paths of some strengths, one after the other."""
    arrays = ("weights", "bias", "losses", "gradients", "passes", "converged")
    strengths = tuple(strength for path in paths for strength in path.strengths)
    return LogisticPath(strengths, *(np.concatenate([getattr(path, name) for path in paths]) for name in arrays))


class _Search:
    """L-BFGS of all strengths at once, in rotated coordinates u: weights = axes @ u."""

    def __init__(self, features: Rows, classes: NDArray[np.int64], count: int) -> None:
        self.features, self.classes, self.count = features, classes, count
        self.rows, self.width = features.shape
        self.mean, variances, self.axes = scatter_axes(features)
        self.rank = len(variances)
        # Boehning's bound: the Hessian of C classes is at most half the features' second moment, here diagonal. The
        # last row is the bias, a constant feature.
        self.bound = np.append(0.5 * variances, 0.5)
        self.penalty = self.scale = np.empty(0, np.float32)

    def run(self, strengths: NDArray[np.float64]) -> LogisticPath:
        """Minimise for some strengths."""
        tried, penalised = len(strengths), np.append(np.ones(self.rank), 0.0)
        self.penalty = (strengths[:, None] * penalised).astype(np.float32)[:, :, None]
        scale = (1 / (self.bound + self.penalty[:, :, 0] + _LEAST)).astype(np.float32)[:, :, None]
        self.scale = np.repeat(scale, self.count, axis=2)
        where = np.zeros((tried, self.rank + 1, self.count), np.float32)
        where[:, -1] = self._prior()
        active, step = np.arange(tried), np.ones(tried)
        memory = [_Memory() for _ in range(tried)]
        losses, gradient = self._evaluate(where, active)
        direction = -self.scale * gradient
        passes, converged = np.ones(tried, np.int64), np.zeros(tried, bool)
        for done_passes in range(1, PASSES + 1):
            if done_passes in MEASURED:
                self.scale[active] = self._measured_scale(where[active], active)
            expected = 0.5 * np.einsum("sdc,sdc->s", gradient[active], self.scale[active] * gradient[active])
            done = expected < TOLERANCE * np.maximum(losses[active], 1)
            converged[active[done]] = True
            active = active[~done]
            if not len(active):
                break
            trial = where[active] + step[active, None, None].astype(np.float32) * direction[active]
            found, slopes = self._evaluate(trial, active)
            passes[active] += 1
            fall = np.einsum("sdc,sdc->s", gradient[active], direction[active], dtype=np.float64)
            # Float32 sums are good to about 1e-7 of the loss: a difference below that is no rise.
            accepted = found <= losses[active] + _ARMIJO * step[active] * fall + 2e-7 * losses[active]
            for place, one in enumerate(active):
                if not accepted[place]:
                    step[one] *= _SHRINK
                    if step[one] < 1e-6:  # no lower point in reach of float32
                        memory[one].clear()
                        direction[one], step[one] = -self.scale[one] * gradient[one], 1e-3
                    continue
                memory[one].add(trial[place] - where[one], slopes[place] - gradient[one])
                where[one], losses[one], gradient[one] = trial[place], found[place], slopes[place]
                direction[one] = -memory[one].apply(gradient[one], self.scale[one])
                step[one] = 1.0
        weights = np.einsum("de,sec->sdc", self.axes, where[:, :-1])
        bias = where[:, -1] - np.einsum("d,sdc->sc", self.mean, weights)
        norms = np.sqrt(np.einsum("sdc,sdc->s", gradient, gradient, dtype=np.float64))
        return LogisticPath(tuple(strengths.tolist()), weights, bias, losses, norms, passes, converged)

    def _prior(self) -> Floats:
        """The bias that gives each class its share."""
        shares = (np.bincount(self.classes, minlength=self.count) + 1) / (self.rows + self.count)
        return np.log(shares).astype(np.float32)

    def _evaluate(self, where: Floats, which: NDArray[np.int64]) -> tuple[NDArray[np.float64], Floats]:
        """Losses [A] and gradients [A, R + 1, C] at points [A, R + 1, C] of the strengths `which`, in one pass."""
        tried, count = len(where), self.count
        flat = np.ascontiguousarray(where[:, :-1].transpose(1, 0, 2)).reshape(self.rank, tried * count)
        weights = self.axes @ flat
        bias = where[:, -1].reshape(-1) - self.mean @ weights
        total, products, sums = np.zeros(tried), np.zeros_like(weights), np.zeros(tried * count)
        for block in blocks(self.rows, max(self.width, tried * count)):
            part, own = np.asarray(self.features[block], np.float32), self.classes[block]
            logits = (part @ weights + bias).reshape(len(part), tried, count)
            at = np.arange(len(part))
            chosen = logits[at, :, own]
            chances, largest, norms = _softmax(logits)
            total += (np.log(norms[:, :, 0]) + largest[:, :, 0] - chosen).sum(axis=0, dtype=np.float64)
            chances[at, :, own] -= 1
            residuals = chances.reshape(len(part), tried * count)
            products += part.T @ residuals
            sums += residuals.sum(axis=0, dtype=np.float64)
        slopes = self.axes.T @ (products - np.outer(self.mean, sums.astype(np.float32)))
        gradient = np.empty_like(where)
        gradient[:, :-1] = slopes.reshape(self.rank, tried, count).transpose(1, 0, 2) / self.rows
        gradient[:, -1] = sums.reshape(tried, count) / self.rows
        penalised = self.penalty[which] * where
        losses = total / self.rows + 0.5 * np.einsum("sdc,sdc->s", penalised, where, dtype=np.float64)
        return losses, gradient + penalised

    def _measured_scale(self, where: Floats, which: NDArray[np.int64]) -> Floats:
        """The inverse of the Hessian's diagonal at points [A, R + 1, C], in the coordinates of the search."""
        tried, count = len(where), self.count
        flat = np.ascontiguousarray(where[:, :-1].transpose(1, 0, 2)).reshape(self.rank, tried * count)
        bias = where[:, -1].reshape(-1)
        diagonal, constant = np.zeros_like(flat), np.zeros(tried * count, np.float32)
        for block in blocks(self.rows, max(self.width, tried * count)):
            along = np.asarray((self.features[block] - self.mean) @ self.axes, np.float32)
            logits = np.asarray(along @ flat + bias, np.float32)
            chances, _, _ = _softmax(logits.reshape(len(along), tried, count))
            spread = (chances * (1 - chances)).reshape(len(along), tried * count)
            diagonal += np.asarray(np.square(along).T @ spread, np.float32)
            constant += spread.sum(axis=0)
        curvature = np.empty_like(where)
        curvature[:, :-1] = diagonal.reshape(self.rank, tried, count).transpose(1, 0, 2) / self.rows
        curvature[:, -1] = constant.reshape(tried, count) / self.rows
        scale: Floats = np.float32(1) / (curvature + self.penalty[which] + np.float32(_LEAST))
        return scale


def _softmax(logits: Floats) -> tuple[Floats, Floats, Floats]:
    """Probabilities in place of logits [N, A, C], the largest logits [N, A, 1], and the sums relative to them."""
    largest = logits.max(axis=-1, keepdims=True)
    logits -= largest
    np.exp(logits, out=logits)
    sums = logits.sum(axis=-1, keepdims=True)
    logits /= sums
    return logits, largest, sums


class _Memory:
    """The last steps of one strength, and the product with the inverse Hessian that they say (two loops)."""

    def __init__(self) -> None:
        self.pairs: deque[tuple[Floats, Floats, float]] = deque(maxlen=MEMORY)

    def clear(self) -> None:
        self.pairs.clear()

    def add(self, moved: Floats, changed: Floats) -> None:
        curvature = float(np.vdot(moved, changed))
        if curvature > 1e-10 * float(np.vdot(changed, changed)):
            self.pairs.append((moved, changed, curvature))

    def apply(self, gradient: Floats, scale: Floats) -> Floats:
        left = gradient.copy()
        shares = []
        for moved, changed, curvature in reversed(self.pairs):
            share = float(np.vdot(moved, left)) / curvature
            left -= np.float32(share) * changed
            shares.append(share)
        found: Floats = scale * left
        if self.pairs:
            moved, changed, curvature = self.pairs[-1]
            found *= np.float32(curvature / max(float(np.vdot(changed, scale * changed)), 1e-30))
        for (moved, changed, curvature), share in zip(self.pairs, reversed(shares), strict=True):
            found += np.float32(share - float(np.vdot(changed, found)) / curvature) * moved
        return found
