"""StyleGAN2 (Karras et al. 2020): mapping, and synthesis with skip or residual connections, in plain PyTorch.

Exact to the official PyTorch program and to rosinality's; `conversion` maps the names of their weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ghbench.generators.layers import (
    EqualConv2d,
    EqualLinear,
    channel_table,
    rectify,
)
from ghbench.generators.levels import GeneratorLevel
from ghbench.generators.mapping import MappingNetwork
from ghbench.generators.modulation import demodulation, modulated_colours, modulated_conv2d
from ghbench.generators.protocol import Noise
from ghbench.generators.resampling import filter_kernel, smooth, upsample
from ghbench.generators.style_generator import StyleGenerator
from ghbench.generators.synthesis import LevelTap, NoiseInput

Architecture = Literal["skip", "residual"]


class StyledConv(nn.Module):
    """Modulated and demodulated 3x3 convolution, noise, bias and rectifier (Karras et al. 2020, figure 2c).

    Args:
        inputs: Input channels.
        outputs: Output channels.
        w_dim: Dimensions of w.
        resolution: Resolution of the output.
        up: Whether it doubles the size.
        clamp: Limit of the output, None for no limit.
    """

    kernel: Tensor

    def __init__(
        self, inputs: int, outputs: int, w_dim: int, resolution: int, *, up: bool, clamp: float | None
    ) -> None:
        super().__init__()
        self.style = EqualLinear(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise = NoiseInput(resolution)
        self.scale = 1.0 / math.sqrt(inputs * 9)
        self.up, self.clamp = up, clamp
        self.register_buffer("kernel", filter_kernel(), persistent=False)

    def forward(self, features: Tensor, style: Tensor, noise: Noise, row: int, gain: float = 1.0) -> Tensor:
        """[N, inputs, H, W] and style [N, inputs] to [N, outputs, R, R]."""
        # Weight scale and rectifier gain are applied to small tensors; noise and rectifier overwrite the maps.
        root = math.sqrt(2.0)
        factors = demodulation(self.weight, style, self.scale) * (gain * root)
        bias = self.bias * (gain * root)
        output = modulated_conv2d(features, self.weight, style * self.scale, factors, bias, self._convolve)
        added = self.noise.contribution(output, noise, row, gain * root)
        if added is not None:
            output.add_(added)
        return rectify(output, None if self.clamp is None else self.clamp * gain)

    def _convolve(self, images: Tensor, weight: Tensor) -> Tensor:
        if not self.up:
            return functional.conv2d(images, weight, padding=1)
        # The transposed convolution has outputs of size 2H + 1.
        doubled = functional.conv_transpose2d(images, weight.transpose(0, 1), stride=2)
        return smooth(doubled, self.kernel, padding=1, gain=4.0)


class ToColours(nn.Module):
    """Modulated 1x1 convolution to colours, without demodulation."""

    def __init__(self, inputs: int, colours: int, w_dim: int, *, clamp: float | None) -> None:
        super().__init__()
        self.style = EqualLinear(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(colours, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(colours))
        self.scale = 1.0 / math.sqrt(inputs)
        self.clamp = clamp

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """[N, inputs, R, R] and style [N, inputs] to [N, colours, R, R]."""
        output = modulated_colours(features, self.weight, style * self.scale)
        output = output + self.bias.to(output.dtype)[:, None, None]
        return output if self.clamp is None else output.clamp(-self.clamp, self.clamp)


class SynthesisBlock(nn.Module):
    """All layers of one resolution: `up` (none at 4 px), `conv`, and where they exist `rgb` and `skip`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_dim: int,
        resolution: int,
        *,
        colours: int,
        residual: bool,
        clamp: float | None,
    ) -> None:
        super().__init__()
        first = resolution == 4
        self.up = None if first else StyledConv(inputs, outputs, w_dim, resolution, up=True, clamp=clamp)
        self.conv = StyledConv(outputs, outputs, w_dim, resolution, up=False, clamp=clamp)
        self.rgb = ToColours(outputs, colours, w_dim, clamp=clamp) if colours else None
        self.skip = EqualConv2d(inputs, outputs, 1, bias=False) if residual and not first else None


class StyleGAN2(StyleGenerator):
    """A StyleGAN2 generator.

    Args:
        channels: Channels by resolution, from 4 to the image size.
        z_dim: Dimensions of z.
        w_dim: Dimensions of w.
        mapping_layers: Dense layers of the mapping network.
        labels: Label size, 0 for an unconditional generator.
        architecture: `skip` adds up the colours of all resolutions, `residual` the features.
        conv_clamp: Limit of every convolution's output, for half precision; None for no limit.
        colours: Image channels.
        mapping_rate: Learning-rate multiplier of the mapping network.

    Raises:
        ValueError: Resolutions are missing, or the architecture is unknown.
    """

    kernel: Tensor

    def __init__(
        self,
        channels: Mapping[int, int] | Sequence[tuple[int, int]],
        *,
        z_dim: int = 512,
        w_dim: int = 512,
        mapping_layers: int = 8,
        labels: int = 0,
        architecture: Architecture = "skip",
        conv_clamp: float | None = None,
        colours: int = 3,
        mapping_rate: float = 0.01,
    ) -> None:
        if architecture not in {"skip", "residual"}:
            raise ValueError(f"architecture is {architecture!r}; expected skip or residual")
        table = channel_table(channels)
        mapping_network = MappingNetwork(z_dim, w_dim, layers=mapping_layers, labels=labels, rate=mapping_rate)
        super().__init__(mapping_network, rows=2 * len(table))
        self.convolutions = self.rows - 1
        self.channels, self.resolution, self.architecture = table, max(table), architecture
        self.clamp, self.colours = conv_clamp, colours
        self.const = nn.Parameter(torch.randn(table[4], 4, 4))
        residual = architecture == "residual"
        self.blocks = nn.ModuleDict()
        for resolution, outputs in table.items():
            self.blocks[f"r{resolution}"] = SynthesisBlock(
                table.get(resolution // 2, outputs), outputs, w_dim, resolution,
                colours=0 if residual and resolution != self.resolution else colours,
                residual=residual, clamp=conv_clamp,
            )  # fmt: skip
        self.register_buffer("kernel", filter_kernel(), persistent=False)
        self._layers = self._layers_by_level()
        self._levels = tuple(self._describe(name, layer) for name, layer in self._layers.items())

    def configuration(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON values."""
        return {
            "channels": [list(entry) for entry in self.channels.items()],
            "z_dim": self.z_dim,
            "w_dim": self.w_dim,
            "mapping_layers": len(self.mapping_network.layers),
            "labels": self.labels,
            "architecture": self.architecture,
            "conv_clamp": self.clamp,
            "colours": self.colours,
            # Only where it is unusual: files without it stay as they are.
            **({} if self.mapping_network.rate == 0.01 else {"mapping_rate": self.mapping_network.rate}),
        }

    def affine(self, level: str) -> nn.Module:
        """The layer that maps w to a level's factors on the input channels."""
        return self._layers[level].style

    def run(self, codes: Mapping[str, Tensor], noise: Noise, tap: LevelTap) -> Tensor:
        """Run the synthesis network; see `StyleGenerator`."""
        count = codes["r4.conv"].shape[0]
        features = self.const.expand(count, -1, -1, -1)
        if features.device.type == "cpu":
            # The layers keep this memory format, in which filters take 0.2 to 0.7 of the time and transposed
            # convolutions 0.4 to 1.0 (over the layers of a 256 px generator).
            features = features.contiguous(memory_format=torch.channels_last)
        image: Tensor | None = None
        row = 0
        for place, block in self.blocks.items():
            assert isinstance(block, SynthesisBlock)
            gain, carried = 1.0, None
            if block.skip is not None:
                gain = math.sqrt(0.5)
                carried = upsample(block.skip(features), self.kernel) * gain
            if block.up is not None:
                features = tap(f"{place}.up", block.up(features, codes[f"{place}.up"], noise, row))
                row += 1
            features = block.conv(features, codes[f"{place}.conv"], noise, row, gain)
            row += 1
            features = tap(f"{place}.conv", features if carried is None else features + carried)
            if image is not None:
                image = upsample(image, self.kernel)
            if block.rgb is not None:
                name = self._rgb_name(place)
                added = tap(name, block.rgb(features, codes[name]).float())
                image = added if image is None else image + added
        assert image is not None
        return image

    def _rgb_name(self, place: str) -> str:
        return "rgb" if place == f"r{self.resolution}" else f"{place}.rgb"

    def _layers_by_level(self) -> dict[str, StyledConv | ToColours]:
        layers: dict[str, StyledConv | ToColours] = {}
        for place, block in self.blocks.items():
            assert isinstance(block, SynthesisBlock)
            if block.up is not None:
                layers[f"{place}.up"] = block.up
            layers[f"{place}.conv"] = block.conv
            if block.rgb is not None:
                layers[self._rgb_name(place)] = block.rgb
        return layers

    def _describe(self, name: str, layer: StyledConv | ToColours) -> GeneratorLevel:
        place, _, part = name.partition(".")
        resolution = self.resolution if name == "rgb" else int(place[1:])
        # Rows of W+: 0 for conv of 4 px, then two a resolution; an rgb level shares the row of the next convolution.
        row = 2 * (resolution.bit_length() - 3) + {"up": -1, "conv": 0}.get(part, 1)
        return GeneratorLevel(
            name=name,
            resolution=resolution,
            channels=layer.weight.shape[0],
            code_width=layer.weight.shape[1],
            layer=row,
            number=self.rows - row,
            scale_free=isinstance(layer, StyledConv),
        )
