"""Directions in w, one for all rows: free, in the subspace of principal components, input-dependent, or given."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ghbench.contrafeat.network.config import GIVEN, IN_SUBSPACE, NavigatorConfig
from ghbench.contrafeat.network.perceptron import Perceptron
from ghbench.generators.layers import unit_rms


class Directions(nn.Module):
    """K directions of unit mean square, that is of norm sqrt(D).

    Types:

    * `fixed`: a parameter [K, D];
    * `fixedE`: a parameter [K, n] times the first n principal components of w;
    * `fixedES`: the same in blocks, each with the next consecutive components;
    * `ada1w`, `adaALLw`: a perceptron of the mean row, or of all rows; `adaALLwE` in the subspace;
    * `pca`, `sefa`: given, not learned, all of them repeated `copies` times.

    Args:
        config: Architecture.
        axes: Orthonormal rows: principal components of w [n or more, D] for types in the subspace, directions
            [K / copies or more, D] for given ones; None for the others, and for zeros that weights are loaded into.
    """

    axes: Tensor | None

    def __init__(self, config: NavigatorConfig, axes: Tensor | None = None) -> None:
        super().__init__()
        self.config = config
        count = 0
        if config.source in IN_SUBSPACE:
            count = config.spanning
        if config.source in GIVEN:
            count = config.directions // config.copies
        given = torch.zeros(count, config.w_dim) if axes is None else axes[:count].detach().clone()
        if given.shape != (count, config.w_dim):
            raise ValueError(f"axes are {tuple(given.shape)}; expected [{count}, {config.w_dim}] or more of them")
        self.register_buffer("axes", given if count else None)
        if config.source in {"fixed", "fixedE"}:
            width = config.w_dim if config.source == "fixed" else config.components
            self.coordinates = nn.Parameter(torch.randn(config.directions, width))
        if config.source == "fixedES":
            self.parts = nn.ParameterList(torch.randn(block) for block in config.blocks)
        if config.source.startswith("ada"):
            inputs = config.w_dim * (1 if config.source == "ada1w" else config.rows)
            width = config.components if config.source == "adaALLwE" else config.w_dim
            self.network = Perceptron(
                inputs, config.directions * width, hidden=config.hidden, layers=config.direction_layers
            )

    def forward(self, ws: Tensor) -> Tensor:
        """W+ [N, L, D] to directions [N, K, D]."""
        config = self.config
        if config.source.startswith("ada"):
            seen = ws.mean(dim=1) if config.source == "ada1w" else ws.flatten(1)
            made = self.network(seen).view(len(ws), config.directions, -1)
        elif config.source == "fixedES":
            made = self._in_blocks()
        elif config.source in GIVEN:
            assert self.axes is not None
            made = self.axes.repeat(config.copies, 1)
        else:
            made = self.coordinates
        if config.source in {"fixedE", "adaALLwE"}:
            assert self.axes is not None
            made = made @ self.axes
        return unit_rms(made, 1e-8).expand(len(ws), -1, -1)

    def _in_blocks(self) -> Tensor:
        assert self.axes is not None
        widths = [width for _, width in self.config.blocks]
        parts = self.axes.split(widths)  # type: ignore[no-untyped-call]
        return torch.cat([part @ axes for part, axes in zip(self.parts, parts, strict=True)])
