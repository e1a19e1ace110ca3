"""The residual trunk of GH-Feat's encoder: a ResNet with the official changes and extra stages down to 4x4."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ghbench.ghfeat.network.config import UNITS, EncoderConfig, Padding

SLOPE = 0.2


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's `SAME` padding: odd padding has its larger half at the right and bottom."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """[N, I, H, W], sides divisible by the stride, to [N, O, H / stride, W / stride]."""
        total = self.kernel_size[0] - self.stride[0]
        before, after = total // 2, total - total // 2
        return super().forward(functional.pad(input, (before, after, before, after)))


def convolution(
    inputs: int, outputs: int, size: int, *, stride: int = 1, bias: bool = True, padding: Padding = "symmetric"
) -> nn.Conv2d:
    """A square convolution whose padding keeps the size, apart from its stride."""
    if padding == "same" and stride > 1 and size > 1:
        return SameConv2d(inputs, outputs, size, stride, bias=bias)
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=bias)


class ConvNorm(nn.Module):
    """A convolution and batch norm, with a (leaky) ReLU after them, between them, or none.

    Args:
        conv: The convolution.
        slope: Slope of the ReLU below zero; None for no ReLU.
        rectify_first: Whether the ReLU comes before the norm.
    """

    def __init__(self, conv: nn.Conv2d, *, slope: float | None, rectify_first: bool = False) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels)
        self.slope, self.rectify_first = slope, rectify_first

    def forward(self, features: Tensor) -> Tensor:
        """[N, I, H, W] to [N, O, H', W']."""
        features = self.conv(features)
        if self.rectify_first:
            return self.norm(self._rectify(features))  # type: ignore[no-any-return]
        return self._rectify(self.norm(features))

    def _rectify(self, features: Tensor) -> Tensor:
        if self.slope is None:
            return features
        return functional.relu(features) if self.slope == 0 else functional.leaky_relu(features, self.slope)


class ResidualUnit(nn.Module):
    """Convolutions and a shortcut, which is a 1x1 convolution and norm in the first unit of every stage.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        config: Configuration of the encoder.
        stride: Stride of the unit.
        bottleneck: Three convolutions (1x1, 3x3 with the stride, 1x1), the inner ones a quarter as wide, instead of
            two of 3x3.
        projected: Whether the shortcut is projected.
    """

    def __init__(
        self, inputs: int, outputs: int, config: EncoderConfig, *, stride: int, bottleneck: bool, projected: bool
    ) -> None:
        super().__init__()
        official, padding = config.blocks == "paper", config.padding
        self.shortcut = None
        if projected:
            self.shortcut = ConvNorm(convolution(inputs, outputs, 1, stride=stride, bias=False), slope=None)
        if bottleneck:
            inner = max(1, outputs // 4)
            spatial = convolution(inner, inner, 3, stride=stride, bias=official, padding=padding)
            parts = [
                ConvNorm(convolution(inputs, inner, 1, bias=official), slope=0),
                ConvNorm(spatial, slope=0),
                ConvNorm(convolution(inner, outputs, 1, bias=official), slope=None),
            ]
        else:
            first = convolution(inputs, outputs, 3, stride=stride, bias=official, padding=padding)
            second = convolution(outputs, outputs, 3, bias=official)
            parts = [
                ConvNorm(first, slope=SLOPE if official else 0, rectify_first=official),
                ConvNorm(second, slope=SLOPE if official else None, rectify_first=official),
            ]
        self.parts = nn.ModuleList(parts)
        # The official block of two convolutions has no ReLU after the sum.
        self.rectified = bottleneck or not official

    def forward(self, features: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        carried = features if self.shortcut is None else self.shortcut(features)
        for part in self.parts:
            features = part(features)
        total = features + carried
        return functional.relu(total) if self.rectified else total


class Trunk(nn.Module):
    """Stem and stages; returns the maps of the last three stages, 16x16, 8x8 and 4x4.

    Args:
        config: Configuration of the encoder.

    Attributes:
        channels: Channels of the three maps.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        bottleneck = config.depth >= 50
        self.stem, width = _stem(config), _scale(64, config)
        self.pool = _pool(config)
        stages: list[nn.Sequential] = []
        widths: list[int] = []
        for row, units in enumerate((*UNITS[config.depth], *(1,) * config.extra_stages)):
            # At any depth, the stages beyond the fourth are single bottlenecks of 2048 channels.
            wide = bottleneck or row >= 4
            outputs = _scale(2048 if row >= 4 else 64 * 2**row * (4 if bottleneck else 1), config)
            stage = [
                ResidualUnit(
                    outputs if unit else width, outputs, config,
                    stride=2 if row and not unit else 1, bottleneck=wide, projected=not unit,
                )
                for unit in range(units)
            ]  # fmt: skip
            stages.append(nn.Sequential(*stage))
            widths.append(outputs)
            width = outputs
        self.stages = nn.ModuleList(stages)
        self.channels = (widths[-3], widths[-2], widths[-1])

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[N, inputs, R, R] to [N, C, 16, 16], [N, C', 8, 8] and [N, C'', 4, 4]."""
        features = self.pool(self.stem(images))
        maps: list[Tensor] = []
        for stage in self.stages:
            features = stage(features)
            maps.append(features)
        return maps[-3], maps[-2], maps[-1]


def _stem(config: EncoderConfig) -> ConvNorm:
    reduction, width = config.stem_reduction, _scale(64, config)
    size, stride = (3, 1) if reduction == 1 else (7, 2)
    conv = convolution(3, width, size, stride=stride, bias=False, padding=config.padding)
    return ConvNorm(conv, slope=SLOPE if config.blocks == "paper" else 0)


def _pool(config: EncoderConfig) -> nn.Module:
    if config.stem_reduction < 4:
        return nn.Identity()
    if config.padding == "symmetric":
        return nn.MaxPool2d(3, 2, padding=1)
    # Activations may be negative after a leaky ReLU, so padding with zeros would win the maximum.
    return nn.Sequential(nn.ConstantPad2d((0, 1, 0, 1), -torch.inf), nn.MaxPool2d(3, 2))


def _scale(channels: int, config: EncoderConfig) -> int:
    return channels if config.width == 1 else max(8, 8 * round(channels * config.width / 8))
