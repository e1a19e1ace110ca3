"""Base class of style-based generators: mapping, style codes by level, and synthesis, whole or in part."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from ghbench.generators.layers import unit_rms
from ghbench.generators.levels import GeneratorLevel, find_level
from ghbench.generators.mapping import MappingNetwork
from ghbench.generators.protocol import Noise
from ghbench.generators.synthesis import LevelReached, LevelTap

TINIEST = 1e-30
"""Keeps a style of zeros finite; far below squared styles."""


class StyleGenerator(nn.Module):
    """A mapping network, and a synthesis network with styles by level.

    Args:
        mapping_network: From z to w.
        rows: Rows of W+.
    """

    def __init__(self, mapping_network: MappingNetwork, rows: int) -> None:
        super().__init__()
        self.mapping_network = mapping_network
        self.rows = rows
        self.convolutions = rows
        self.z_dim, self.w_dim, self.labels = mapping_network.z_dim, mapping_network.w_dim, mapping_network.labels
        self._levels: tuple[GeneratorLevel, ...] = ()

    @abstractmethod
    def affine(self, level: str) -> nn.Module:
        """The layer that maps w [N, w_dim] to the style code of a level [N, code_width]."""

    @abstractmethod
    def run(self, codes: Mapping[str, Tensor], noise: Noise, tap: LevelTap) -> Tensor:
        """Run the synthesis network on checked codes and noise, passing every level's output through the tap."""

    @property
    def levels(self) -> tuple[GeneratorLevel, ...]:
        """All levels, coarse to fine."""
        return self._levels

    @property
    def w_mean(self) -> Tensor:
        """Mean of w [w_dim]."""
        return self.mapping_network.w_mean

    def mapping(
        self, z: Tensor, psi: float = 1.0, *, labels: Tensor | None = None, cutoff: int | None = None
    ) -> Tensor:
        """Map z to W+, in the precision of the weights, even under autocast.

        Args:
            z: [N, z_dim].
            psi: Truncation.
            labels: [N, labels], for a conditional generator.
            cutoff: Number of truncated rows, from the coarsest; None for all.

        Returns:
            [N, rows, w_dim].
        """
        with torch.autocast(z.device.type, enabled=False):
            return self.mapping_network.truncate(self.mapping_network(z, labels), self.rows, psi, cutoff)

    def style_codes(self, ws: Tensor, *, raw: bool = False) -> dict[str, Tensor]:
        """Style codes by level.

        Args:
            ws: W+ [N, rows, w_dim], or w [N, w_dim].
            raw: Whether to return the affine layers' output, instead of canonical codes; see `canonical`.

        Returns:
            By level [N, code_width].
        """
        ws = self._rows_of(ws)
        with torch.autocast(ws.device.type, enabled=False):
            styles = {level.name: self.affine(level.name)(ws[:, level.layer]) for level in self._levels}
            return styles if raw else self.canonical(styles)

    def canonical(self, styles: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Canonical codes of raw style codes, by level [N, code_width].

        The scale of a demodulated layer's style cancels in the image (Karras et al. 2020, equation 3), so the canonical
        code of such a level has unit root mean square; other codes are unchanged.
        """
        return {
            name: unit_rms(style, TINIEST) if find_level(self._levels, name).scale_free else style
            for name, style in styles.items()
        }

    def synthesis(
        self, ws: Tensor, *, noise: Noise = "const", replacements: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Make images from W+.

        Args:
            ws: W+ [N, rows, w_dim], or w [N, w_dim].
            noise: `const`, `random`, `none`, or one tensor [1 or N, 1, R, R] a convolution.
            replacements: Outputs of levels, as from `features`, to use instead of the computed ones.

        Returns:
            [N, colours, R, R] float32, not clipped.

        Raises:
            ValueError: W+ or noise has the wrong shape.
            KeyError: A replacement is for an unknown level.
        """
        return self.synthesis_from_styles(self.style_codes(ws, raw=True), noise=noise, replacements=replacements)

    def synthesis_from_styles(
        self,
        codes: Mapping[str, Tensor],
        *,
        noise: Noise = "const",
        replacements: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Make images from the style codes of all levels, raw or canonical; see `synthesis`."""
        for name in replacements or {}:
            find_level(self._levels, name)
        return self._run_checked(codes, noise, LevelTap(replacements=replacements or {}))

    def features(self, ws: Tensor, level: str, *, noise: Noise = "const") -> Tensor:
        """Output of a level [N, channels, R, R]; for `rgb` levels the colours they add.

        Raises:
            KeyError: There is no such level.
            ValueError: The level is above the current level of detail (StyleGAN1).
        """
        find_level(self._levels, level)
        tap = LevelTap(stop_at=level)
        with contextlib.suppress(LevelReached):
            self._run_checked(self.style_codes(ws, raw=True), noise, tap)
        if tap.reached is None:
            raise ValueError(f"{level} is not in use at level of detail {getattr(self, 'lod', 0):g}")
        return tap.reached

    def many_features(self, ws: Tensor, levels: Collection[str], *, noise: Noise = "const") -> dict[str, Tensor]:
        """Outputs of several levels from one run of the network; see `features`.

        Raises:
            KeyError: There is no such level.
        """
        for level in levels:
            find_level(self._levels, level)
        tap = LevelTap(wanted=levels)
        self._run_checked(self.style_codes(ws, raw=True), noise, tap)
        return tap.kept

    def forward(self, z: Tensor, labels: Tensor | None = None, psi: float = 1.0, noise: Noise = "const") -> Tensor:
        """Images from z [N, z_dim]."""
        return self.synthesis(self.mapping(z, psi, labels=labels), noise=noise)

    def _run_checked(self, codes: Mapping[str, Tensor], noise: Noise, tap: LevelTap) -> Tensor:
        missing = [level.name for level in self._levels if level.name not in codes]
        if missing:
            raise KeyError(f"no style code for {', '.join(missing)}")
        if not isinstance(noise, str) and len(noise) != self.convolutions:
            raise ValueError(f"got {len(noise)} noise tensors; expected {self.convolutions}, one a convolution")
        return self.run(codes, noise, tap)

    def _rows_of(self, ws: Tensor) -> Tensor:
        if ws.ndim == 2:
            ws = ws[:, None].expand(-1, self.rows, -1)
        if ws.shape[1:] != (self.rows, self.w_dim):
            raise ValueError(f"W+ is {tuple(ws.shape)}; expected [N, {self.rows}, {self.w_dim}]")
        return ws
