"""Pictures of one code moved back and forth along directions, and the scale at which methods change them equally."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ghbench.errors import DataError
from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import seeded_z, to_uint8
from ghbench.progress import Progress, silent

Directions = Callable[[NDArray[Any] | None], Any]
Images = NDArray[np.uint8]
Pairs = Callable[[int, float], tuple[Images, Images]]
"""Draws pictures of a seed before and after moves of a scale, uint8 [K, 3, R, R] twice."""
BATCH = 15


class Likeness(Protocol):
    """What tells how much a picture has changed: an extractor."""

    def extract(self, images: Images) -> Any:
        """Images uint8 [N, 3, S, S] to features by level [N, D]."""
        ...


@dataclass(frozen=True)
class Mover:
    """Draws codes moved along directions.

    Args:
        generator: The generator.
        directions: A navigator's method; see `ghbench.extractor.Navigator`.
        psi: Truncation of the codes.
    """

    generator: Generator
    directions: Directions
    psi: float

    @torch.no_grad()
    def pair(self, seed: int, scale: float, numbers: Sequence[int]) -> tuple[Images, Images]:
        """One code less and plus `scale` times each direction, uint8 [K, 3, R, R] twice."""
        ws = self._code(seed)
        moves = self._moves(ws)[list(numbers)]
        return self._drawn(ws - scale * moves), self._drawn(ws + scale * moves)

    def pairs(self, numbers: Sequence[int]) -> Pairs:
        """`pair` along some directions, as a function of seed and scale."""
        return lambda seed, scale: self.pair(seed, scale, numbers)

    @torch.no_grad()
    def moved(self, seed: int, number: int, distance: float) -> Images:
        """One code plus `distance` times one direction, uint8 [1, 3, R, R]."""
        ws = self._code(seed)
        return self._drawn(ws + distance * self._moves(ws)[number] if distance else ws)

    def count(self, seed: int) -> int:
        """Number of directions."""
        return len(self._moves(self._code(seed)))

    def _code(self, seed: int) -> Tensor:
        z = seeded_z([seed], self.generator.z_dim).to(self.generator.w_mean)
        return self.generator.mapping(z, self.psi)

    def _moves(self, ws: Tensor) -> Tensor:
        found = np.asarray(self.directions(ws.cpu().numpy()), np.float32)
        if found.ndim != 4 or found.shape[0] != 1 or found.shape[2:] != tuple(ws.shape[1:]):
            raise DataError(f"directions are {found.shape}; expected [1, K, {ws.shape[1]}, {ws.shape[2]}]")
        if not np.isfinite(found).all():
            raise DataError("directions are not finite")
        return torch.from_numpy(np.array(found[0])).to(ws)

    def _drawn(self, ws: Tensor) -> Images:
        parts = [to_uint8(self.generator.synthesis(part)) for part in torch.split(ws, BATCH)]
        return np.concatenate(parts)


def change(judge: Likeness, side: int, one: Images, other: Images) -> NDArray[np.float64]:
    """How much pictures differ: 1 less the cosine of their features, averaged over levels [N]."""
    found = judge.extract(np.concatenate([_enlarged(one, side), _enlarged(other, side)]))
    changes = []
    for values in found.values():
        units = np.asarray(values, np.float64)
        units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-12)
        before, after = np.split(units, 2)
        changes.append(1 - (before * after).sum(axis=1))
    return np.asarray(np.mean(changes, axis=0))


@dataclass(frozen=True)
class Search:
    """How the scale of a method is found.

    Args:
        judge: What tells how much a picture has changed.
        side: Side of the pictures that it takes.
        scales: Scales that are tried, rising.
        seeds: Codes that each is tried on.
        target: Wanted mean change.
    """

    judge: Likeness
    side: int
    scales: Sequence[float]
    seeds: Sequence[int]
    target: float

    def scale(self, pairs: Pairs, progress: Progress = silent) -> float:
        """The scale at which pairs of pictures differ as much as wanted; see `found_scale`."""

        def changed(scale: float) -> float:
            return float(np.mean([change(self.judge, self.side, *pairs(seed, scale)).mean() for seed in self.seeds]))

        return found_scale(self.target, self.scales, changed, progress)


def found_scale(
    target: float, scales: Sequence[float], changed: Callable[[float], float], progress: Progress = silent
) -> float:
    """The scale at which a mean change is as wanted; scales are tried until one changes more. See `scale_for`.

    Args:
        target: Wanted mean change.
        scales: Scales to try, rising.
        changed: Mean change at a scale.
        progress: Called with scales tried and all.
    """
    changes: list[float] = []
    for place, scale in enumerate(scales):
        changes.append(changed(scale))
        progress(place + 1, len(scales), "scales")
        if changes[-1] > target:
            break
    return scale_for(target, scales[: len(changes)], changes)


def scale_for(target: float, scales: Sequence[float], changes: Sequence[float]) -> float:
    """The scale at which a method changes pictures as much as wanted, interpolated between logarithms.

    Args:
        target: Wanted mean change.
        scales: Scales that were tried, rising.
        changes: Mean change at each.

    Raises:
        DataError: The target is not within what was tried, or a larger scale changes less.
    """
    if not np.all(np.diff(changes) > 0) or not changes[0] <= target <= changes[-1]:
        told = ", ".join(f"{change:.3g} at {scale:g}" for scale, change in zip(scales, changes, strict=True))
        raise DataError(f"no scale changes pictures by {target:g} on average: {told}")
    return float(np.exp(np.interp(np.log(target), np.log(changes), np.log(scales))))


def _enlarged(images: Images, side: int) -> Images:
    tensor = torch.from_numpy(images).float()
    made = torch.nn.functional.interpolate(tensor, (side, side), mode="bilinear", antialias=True)
    return np.asarray(made.round().clamp(0, 255).to(torch.uint8).numpy())
