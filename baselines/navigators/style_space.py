"""Single channels of a generator's style codes as directions (Wu et al. 2021, StyleSpace)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import UsageError
from ghbench.spec_string import SpecString

from .closed_form import FACES, PART, STEP, ClosedForm, rows_of, sensor_digest
from .windows import SEPARATOR, window

if TYPE_CHECKING:
    from torch import Tensor

    from ghbench.generators.protocol import Generator

LEAST = 0.05
"""Singular values of a code's derivative below this share of the largest are taken for zero."""


class StyleSpace(ClosedForm):
    """Channels that change pictures most, among some drawn at random.

    A channel is moved through W+, where all methods are compared: by the shortest change of its level's w that moves
    this channel and as little as possible the others, a column of the pseudo-inverse of the code's derivative at the
    mean w. Ways of w in which codes hardly change are left out of the inverse, so channels that a generator always
    moves together stay together. Wu et al. choose channels by labels; here none is used.

    Args:
        generator: Spec string of a generator.
        directions: Number of directions.
        rows: Window of rows whose channels are tried; empty for all.
        tried: Channels that are drawn.
        sensor: Extractor that offers its network for perceptual losses.
        codes: Codes over which changes are averaged.

    Raises:
        UsageError: Fewer channels than directions, no codes, or several windows.
    """

    name: ClassVar[str] = "stylespace"
    citation: ClassVar[str] = "Wu et al. 2021, StyleSpace Analysis: Disentangled Controls for StyleGAN"

    def __init__(
        self, generator: SpecString = FACES, directions: int = 30, rows: str = "", tried: int = 512,
        sensor: str = "mobilenet-v2", codes: int = 4,
    ) -> None:  # fmt: skip
        super().__init__(generator, directions, rows)
        if tried < directions or codes < 1 or SEPARATOR in rows:
            raise UsageError(
                f"tried={tried}, codes={codes}, rows={rows}; expected {directions} channels or more, a code, one window"
            )
        self.tried, self.sensor, self.codes = tried, sensor, codes

    def recipe(self) -> dict[str, Any]:
        """What decides the directions."""
        return {**super().recipe(), "tried": self.tried, "sensor": sensor_digest(self.sensor), "codes": self.codes}

    def networks(self) -> tuple[str, ...]:
        """The generator and the sensor."""
        return (*super().networks(), sensor_digest(self.sensor))

    def moves(self, generator: Generator) -> NDArray[np.floating[Any]]:
        """The channels that change pictures most, each in its row alone."""
        import torch

        from ghbench.contrafeat.subspace import principal_axes
        from ghbench.generators.rendering import seeded_z
        from ghbench.ghfeat.training.perceptual import perceptual_network
        from ghbench.seeds import seeds_for

        look, _ = perceptual_network(self.sensor)
        moves = self._channels(generator)
        step = STEP * float(principal_axes(generator).deviations[0])
        changes = torch.zeros(len(moves), dtype=torch.float64)
        with torch.no_grad():
            for seed in seeds_for("train", self.codes):
                ws = generator.mapping(seeded_z([seed], generator.z_dim))
                start = look(generator.synthesis(ws))
                parts = [look(generator.synthesis(ws + step * part)) - start for part in torch.split(moves, PART)]
                changes += torch.cat(parts).double().square().sum(dim=1)
        return np.asarray(moves[changes.argsort(descending=True, stable=True)[: self.count]].numpy())

    def _channels(self, generator: Generator) -> Tensor:
        """Directions [tried, L, D] of channels of the window's levels, drawn at random."""
        import torch

        from ghbench.contrafeat.subspace import code_slopes

        rows = rows_of(generator)
        used = window(self.rows, rows, self.shared_rows(generator))
        found = []
        for level in generator.levels:
            if not used[level.layer]:
                continue
            shortest = torch.linalg.pinv(code_slopes(generator, level.name), rtol=LEAST).T
            lengths = shortest.square().mean(dim=1, keepdim=True).sqrt()
            moves = torch.zeros(len(shortest), rows, shortest.shape[1])
            moves[:, level.layer] = (shortest / lengths.clamp_min(1e-12)).float()
            found.append(moves[lengths[:, 0] > 0])
        every = torch.cat(found)
        if len(every) < self.count:
            raise UsageError(
                f"{self.name} has {len(every)} directions, not {self.count}", fix=f"directions={len(every)}"
            )
        return every[torch.from_numpy(np.random.default_rng(0).permutation(len(every))[: self.tried])]
