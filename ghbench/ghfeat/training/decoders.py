"""What draws the images by which codes are judged: the frozen generator, or a decoder that knows less, as a control."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from typing import Literal, cast

import torch
from torch import Tensor, nn

from ghbench.generators.code_statistics import CodeStatistics
from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import seeded_z
from ghbench.ghfeat.network.decoding import decode_codes
from ghbench.ghfeat.network.layout import CodeLayout

Decoder = Literal["generator", "shuffled", "random", "learned"]

WIDEST, NARROWEST = 256, 32
"""Channels of a learned decoder: at 4 px, and the fewest."""
_CALIBRATION = 64  # images from which brightness and contrast are taken
_OF_CODES = ("mapping", "style")
"""Parts of a generator that say what its codes are, by their parameters' names; controls keep them."""


class GeneratorDecoder(nn.Module):
    """A generator's synthesis.

    Args:
        generator: The generator.
        layout: Layout of the codes.
    """

    def __init__(self, generator: Generator, layout: CodeLayout) -> None:
        super().__init__()
        self.generator, self.layout = generator, layout

    def forward(self, codes: Mapping[str, Tensor]) -> Tensor:
        """Codes by level [N, width] to images [N, 3, R, R], nominally in [-1, 1]."""
        return decode_codes(self.generator, self.layout, codes)


class IgnorantDecoder(GeneratorDecoder):
    """A generator that has forgotten what it learned, each colour brought to the mean and spread of the real one's.

    Args:
        generator: The generator whose codes are predicted.
        kind: `shuffled` or `random`.
        layout: Layout of the codes.
    """

    @torch.no_grad()
    def __init__(self, generator: Generator, kind: Decoder, layout: CodeLayout) -> None:
        super().__init__(_ignorant(generator, kind), layout)
        codes = layout.codes(generator, generator.mapping(seeded_z(range(_CALIBRATION), generator.z_dim)))
        real, own = (decode_codes(one, layout, codes) for one in (generator, self.generator))
        dims = (0, 2, 3)
        scale = real.std(dims, keepdim=True) / own.std(dims, keepdim=True).clamp_min(1e-12)
        self.register_buffer("scale", scale)
        self.register_buffer("shift", real.mean(dims, keepdim=True) - scale * own.mean(dims, keepdim=True))

    def forward(self, codes: Mapping[str, Tensor]) -> Tensor:
        """Codes by level [N, width] to images [N, 3, R, R], of the generator's brightness and contrast."""
        images: Tensor = super().forward(codes) * self.get_buffer("scale") + self.get_buffer("shift")
        return images


class LearnedDecoder(nn.Module):
    """A dense layer, then convolutions between doublings: the decoder of a plain autoencoder.

    Args:
        statistics: Mean and standard deviation by level, by which codes are standardised.
        size: Side of its images.
    """

    def __init__(self, statistics: Mapping[str, CodeStatistics], size: int) -> None:
        super().__init__()
        self.levels = tuple(statistics)
        self.register_buffer("mean", torch.cat([statistics[name].mean for name in self.levels]))
        self.register_buffer("deviation", torch.cat([statistics[name].deviation for name in self.levels]))
        doublings = size.bit_length() - 3
        widths = [max(WIDEST >> max(step - 1, 0), NARROWEST) for step in range(doublings + 1)]
        self.dense = nn.Linear(len(self.get_buffer("mean")), widths[0] * 16)
        stages: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            stages += [
                nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(8, after),
                nn.LeakyReLU(0.2),
            ]  # fmt: skip
        self.stages = nn.Sequential(*stages, nn.Conv2d(widths[-1], 3, 1))

    def forward(self, codes: Mapping[str, Tensor]) -> Tensor:
        """Codes by level [N, width] to images [N, 3, R, R], nominally in [-1, 1]."""
        joined = torch.cat([codes[name] for name in self.levels], dim=1)
        units = (joined - self.get_buffer("mean")) / self.get_buffer("deviation").clamp_min(1e-12)
        images: Tensor = self.stages(self.dense(units).unflatten(1, (-1, 4, 4)))
        return images


def decoder_of(
    kind: Decoder, generator: Generator, layout: CodeLayout, statistics: Mapping[str, CodeStatistics], size: int
) -> nn.Module:
    """The decoder of a training; only `learned` is trained.

    Args:
        kind: See `GhfeatOptions`.
        generator: The generator whose codes are predicted.
        layout: Layout of the codes.
        statistics: Their mean and standard deviation by level.
        size: Side of the images.
    """
    if kind == "learned":
        return LearnedDecoder(statistics, size)
    return GeneratorDecoder(generator, layout) if kind == "generator" else IgnorantDecoder(generator, kind, layout)


@torch.no_grad()
def _ignorant(generator: Generator, kind: Decoder) -> Generator:
    """A copy whose synthesis has lost what it learned: the numbers of each tensor permuted, or drawn anew.

    Its mapping and its affine layers stay, so its codes are those of the generator.
    """
    made = copy.deepcopy(generator)
    for name, parameter in cast("nn.Module", made).named_parameters():
        if any(part in name for part in _OF_CODES):
            continue
        values = parameter.flatten()
        if kind == "shuffled":
            values = values[torch.randperm(len(values), device=values.device)]
        elif len(values) > 1:
            values = values.mean() + values.std() * torch.randn_like(values)
        parameter.copy_(values.view_as(parameter))
    return made
