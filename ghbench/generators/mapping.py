"""The mapping network from z and a label to w, and truncation."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ghbench.generators.layers import SLOPE, EqualLinear, activate, unit_rms


class MappingNetwork(nn.Module):
    """Dense layers from z to w (Karras et al. 2019, section 2).

    Args:
        z_dim: Dimensions of z, 0 for a network of labels only.
        w_dim: Dimensions of w.
        layers: Number of dense layers.
        labels: Label size, 0 for an unconditional network.
        hidden: Width of the hidden layers, w_dim by default.
        gain_on_weights: Whether the rectifier's sqrt(2) is applied to the weights and not the bias (StyleGAN1), or to
            the activation (StyleGAN2).
        rate: Learning-rate multiplier, see `EqualLinear`.
    """

    w_mean: Tensor

    def __init__(
        self,
        z_dim: int,
        w_dim: int,
        *,
        layers: int = 8,
        labels: int = 0,
        hidden: int | None = None,
        gain_on_weights: bool = False,
        rate: float = 0.01,
    ) -> None:
        super().__init__()
        if not z_dim and not labels:
            raise ValueError("a mapping network needs z, labels or both")
        self.z_dim, self.w_dim, self.labels, self.rate = z_dim, w_dim, labels, rate
        self.embed = EqualLinear(labels, w_dim) if labels else None
        widths = [z_dim + (w_dim if labels else 0), *[hidden or w_dim] * (layers - 1), w_dim]
        gain = math.sqrt(2.0) if gain_on_weights else 1.0
        self.gain_after = 1.0 if gain_on_weights else math.sqrt(2.0)
        self.layers = nn.ModuleList(
            EqualLinear(inputs, outputs, gain=gain, rate=rate) for inputs, outputs in pairwise(widths)
        )
        self.register_buffer("w_mean", torch.zeros(w_dim))

    def forward(self, z: Tensor | None, labels: Tensor | None = None) -> Tensor:
        """Map z [N, z_dim] and labels [N, labels] to w [N, w_dim], without truncation.

        Raises:
            ValueError: Labels are missing, or given to an unconditional network.
        """
        if (self.embed is None) != (labels is None or labels.shape[-1] == 0):
            raise ValueError(f"this network takes labels of size {self.labels}")
        parts = [] if z is None else [unit_rms(z)]
        if self.embed is not None:
            parts.append(unit_rms(self.embed(labels)))
        features = torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]
        for layer in self.layers:
            features = layer(features)
            features = activate(features) if self.gain_after != 1.0 else functional.leaky_relu(features, SLOPE)
        return features

    def truncate(self, w: Tensor, rows: int, psi: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Repeat w for every row of W+ and truncate towards the mean (Karras et al. 2019, appendix B).

        Args:
            w: [N, w_dim].
            rows: Rows of W+.
            psi: 1 keeps w, 0 gives the mean.
            cutoff: Number of truncated rows, from the coarsest; None for all.

        Returns:
            [N, rows, w_dim].
        """
        ws = w[:, None].expand(-1, rows, -1)
        if psi == 1.0:
            return ws
        count = rows if cutoff is None else cutoff
        near = self.w_mean + psi * (ws[:, :count] - self.w_mean)
        return torch.cat([near, ws[:, count:]], dim=1)

    @torch.no_grad()
    def estimate_w_mean(self, samples: int = 10_000, seed: int = 0) -> Tensor:
        """Set `w_mean` [w_dim] to the mean w of seeded random z (and one-hot labels, if conditional)."""
        rng = torch.Generator().manual_seed(seed)
        z = torch.randn(samples, self.z_dim, generator=rng)
        labels = None
        if self.labels:
            labels = torch.eye(self.labels)[torch.randint(self.labels, (samples,), generator=rng)].to(self.w_mean)
        self.w_mean.copy_(self(z.to(self.w_mean), labels).mean(dim=0))
        return self.w_mean
