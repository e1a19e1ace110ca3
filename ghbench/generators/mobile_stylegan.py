"""MobileStyleGAN (Belousov 2021): a distilled StyleGAN2 with depthwise convolutions and wavelets, fast on CPUs.

The layers are those of the network in the `random-face` wheel, whose weights `mobile_weights` loads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ghbench.generators.haar import haar_synthesis
from ghbench.generators.layers import SLOPE
from ghbench.generators.levels import GeneratorLevel
from ghbench.generators.mapping import MappingNetwork
from ghbench.generators.protocol import Noise
from ghbench.generators.style_generator import StyleGenerator
from ghbench.generators.synthesis import LevelTap, NoiseInput

CHANNELS = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64}
"""Channels by resolution of the published network, whose images have twice the last resolution."""
COLOURS = 3


def affine(w_dim: int, width: int) -> nn.Linear:
    """A layer from w to scales, initially around 1."""
    layer = nn.Linear(w_dim, width)
    nn.init.normal_(layer.weight, std=1 / math.sqrt(w_dim))
    nn.init.ones_(layer.bias)
    return layer


def biased_rectifier(features: Tensor, bias: Tensor) -> Tensor:
    """Add the bias [C] to features [N, C, H, W] and apply a leaky rectifier of slope 0.2 without gain."""
    return functional.leaky_relu(features + bias.to(features.dtype)[:, None, None], SLOPE)


class FirstConv(nn.Module):
    """The learned constant, then a 3x3 convolution, noise, bias and rectifier."""

    def __init__(self, channels: int, w_dim: int) -> None:
        super().__init__()
        self.inputs = channels
        self.const = nn.Parameter(torch.randn(channels, 4, 4))
        self.style = affine(w_dim, channels)
        self.weight = nn.Parameter(torch.randn(channels, channels, 3, 3) / math.sqrt(channels * 9))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.noise = NoiseInput(4)

    def forward(self, code: Tensor, noise: Noise) -> Tensor:
        """Code [N, channels] to features [N, channels, 4, 4]."""
        features = (self.const * code[:, :, None, None]).contiguous(memory_format=torch.channels_last)
        features = functional.conv2d(features, self.weight, padding=1)
        return biased_rectifier(self.noise(features, noise, 0), self.bias)


class SeparableConv(nn.Module):
    """Modulated depthwise 3x3 and pointwise convolution, noise, bias and rectifier.

    The demodulation of this network does not depend on the style, so it is part of the pointwise weights.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        w_dim: Dimensions of w.
        resolution: Resolution of the output.
        up: Whether a wavelet step, which quarters the channels, comes first.
    """

    def __init__(self, inputs: int, outputs: int, w_dim: int, resolution: int, *, up: bool) -> None:
        super().__init__()
        width = inputs // 4 if up else inputs
        self.inputs, self.up = inputs, up
        # With a wavelet step the layer has scales before and after it.
        self.style = affine(w_dim, inputs + width if up else inputs)
        self.depthwise = nn.Parameter(torch.randn(width, 1, 3, 3) / 3)
        self.pointwise = nn.Parameter(torch.randn(outputs, width) / math.sqrt(width))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise = NoiseInput(resolution)

    def forward(self, features: Tensor, code: Tensor, noise: Noise, row: int) -> Tensor:
        """[N, inputs, H, W] and canonical code [N, inputs] to [N, outputs, R, R]."""
        features = features * code.to(features.dtype)[:, :, None, None]
        if self.up:
            features = haar_synthesis(features)
        features = functional.conv2d(features, self.depthwise, padding=1, groups=self.depthwise.shape[0])
        features = functional.linear(features.permute(0, 2, 3, 1), self.pointwise).permute(0, 3, 1, 2)
        return biased_rectifier(self.noise(features, noise, row), self.bias)

    def canonical(self, style: Tensor) -> Tensor:
        """The code [N, inputs] for a raw style [N, inputs * 5/4] of a layer with a wavelet step; others are unchanged.

        The wavelet step is linear, so the scales after it are multiplied into the four bands of their channel.
        """
        if not self.up or style.shape[-1] != self.style.out_features:
            return style
        before, after = torch.split(style, [self.inputs, self.inputs // 4], dim=-1)
        return (torch.unflatten(before, -1, (4, -1)) * after.unsqueeze(-2)).flatten(-2)


class WaveletBlock(nn.Module):
    """The two layers of one resolution."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, resolution: int) -> None:
        super().__init__()
        self.up = SeparableConv(inputs, outputs, w_dim, resolution, up=True)
        self.conv = SeparableConv(outputs, outputs, w_dim, resolution, up=False)


class WaveletHead(nn.Module):
    """Modulated 1x1 convolution to the wavelet bands of the image, and the final wavelet step."""

    def __init__(self, inputs: int, w_dim: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.style = affine(w_dim, inputs)
        self.weight = nn.Parameter(torch.randn(4 * COLOURS, inputs) / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.zeros(4 * COLOURS))

    def bands(self, pixels: Tensor, code: Tensor) -> Tensor:
        """Features [N, P, inputs] of P pixels and code [N, inputs] to wavelet bands [N, P, 12]."""
        # When compiled, scaling the features is free: it is fused with their rectifier. Scaling the weights for each
        # image made the compiler store the rectifier's mask as booleans, which took twelve times as long.
        return functional.linear(pixels * code.to(pixels.dtype)[:, None], self.weight, self.bias)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        """[N, inputs, R, R] and code [N, inputs] to images [N, 3, 2R, 2R], float32."""
        bands = self.bands(features.permute(0, 2, 3, 1).flatten(1, 2), code).float()
        return haar_synthesis(torch.unflatten(bands, 1, features.shape[2:]).permute(0, 3, 1, 2))


class MobileStyleGAN(StyleGenerator):
    """A MobileStyleGAN generator, whole or shortened.

    A level is a row of W+. In an `up` level, a factor on a channel after the wavelet step and its inverse on the
    channel's four bands before it cancel, so the canonical code is the product of both scales: 6,016 numbers at 1024 px
    instead of 6,752. Raw and canonical codes are distinguished by their widths.

    Channels are ordered by wavelet band: averages, differences between rows, between columns, and both.

    Args:
        size: Image size. Below 1024 the network ends at half that size with a separate head.
        channels: Channels by resolution, multiples of 4, from 4 to at least half of `size`.
        z_dim: Dimensions of z.
        w_dim: Dimensions of w.
        mapping_layers: Dense layers of the mapping network.

    Raises:
        ValueError: The channels do not reach half of `size`.
    """

    def __init__(
        self,
        size: int = 1024,
        *,
        channels: Mapping[int, int] | Sequence[tuple[int, int]] = CHANNELS,
        z_dim: int = 512,
        w_dim: int = 512,
        mapping_layers: int = 8,
    ) -> None:
        given = dict(channels)
        table = {resolution: count for resolution, count in sorted(given.items()) if resolution < size}
        if list(table) != [4 * 2**step for step in range(len(table))] or 2 * max(table, default=0) != size:
            raise ValueError(f"size {size} needs channels at 4, 8, ... {size // 2}; got {list(given)}")
        super().__init__(MappingNetwork(z_dim, w_dim, layers=mapping_layers), rows=2 * len(table))
        self.convolutions = self.rows - 1
        self.resolution, self.channels = size, table
        self.first = FirstConv(table[4], w_dim)
        self.blocks = nn.ModuleDict()
        for resolution in list(table)[1:]:
            self.blocks[f"r{resolution}"] = WaveletBlock(table[resolution // 2], table[resolution], w_dim, resolution)
        self.rgb = WaveletHead(table[size // 2], w_dim)
        self._layers = self._layers_by_level()
        self._levels = tuple(self._describe(row, name) for row, name in enumerate(self._layers))

    def configuration(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON values."""
        return {
            "size": self.resolution,
            "channels": [list(entry) for entry in self.channels.items()],
            "z_dim": self.z_dim,
            "w_dim": self.w_dim,
            "mapping_layers": len(self.mapping_network.layers),
        }

    def affine(self, level: str) -> nn.Module:
        """The layer that maps w to a level's raw code."""
        return self._layers[level].style

    def canonical(self, styles: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Codes with the scales before and after a wavelet step multiplied; canonical codes are unchanged.

        Args:
            styles: Raw or canonical codes by level.

        Raises:
            ValueError: A code has the wrong width.
        """
        codes = {}
        for name, style in styles.items():
            layer = self._layers[name]
            code = layer.canonical(style) if isinstance(layer, SeparableConv) else style
            if code.shape[-1] != layer.inputs:
                raise ValueError(
                    f"the style code of {name} has width {style.shape[-1]}; expected {layer.inputs}, or "
                    f"{layer.style.out_features} for a raw code"
                )
            codes[name] = code
        return codes

    def run(self, codes: Mapping[str, Tensor], noise: Noise, tap: LevelTap) -> Tensor:
        """Run the synthesis network; see `StyleGenerator`."""
        codes = self.canonical(codes)
        features = tap("r4.conv", self.first(codes["r4.conv"], noise))
        row = 1
        for place, block in self.blocks.items():
            assert isinstance(block, WaveletBlock)
            features = tap(f"{place}.up", block.up(features, codes[f"{place}.up"], noise, row))
            features = tap(f"{place}.conv", block.conv(features, codes[f"{place}.conv"], noise, row + 1))
            row += 2
        return tap("rgb", self.rgb(features, codes["rgb"]))

    def _layers_by_level(self) -> dict[str, FirstConv | SeparableConv | WaveletHead]:
        layers: dict[str, FirstConv | SeparableConv | WaveletHead] = {"r4.conv": self.first}
        for place, block in self.blocks.items():
            assert isinstance(block, WaveletBlock)
            layers |= {f"{place}.up": block.up, f"{place}.conv": block.conv}
        return layers | {"rgb": self.rgb}

    def _describe(self, row: int, name: str) -> GeneratorLevel:
        layer = self._layers[name]
        last = isinstance(layer, WaveletHead)
        return GeneratorLevel(
            name=name,
            resolution=self.resolution if last else int(name.partition(".")[0][1:]),
            channels=COLOURS if last else layer.bias.shape[0],
            code_width=layer.inputs,
            layer=row,
            number=self.rows - row,
            scale_free=False,
        )
