"""Layers with an equalised learning rate, the activation, and other shared parts of the networks.

Equalised learning rate (Karras et al., "Progressive Growing of GANs", 2018, section 4.1): parameters are stored at unit
scale and multiplied by gain / sqrt(fan-in) in use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
EPSILON = 1e-8


class EqualLinear(nn.Module):
    """Dense layer with an equalised learning rate.

    Args:
        inputs: Input features.
        outputs: Output features.
        gain: Factor on the weights.
        rate: Learning-rate multiplier: weights are stored 1/rate times larger, and weights and bias multiplied by it.
        bias: Initial bias, as added to the output.
    """

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0, rate: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale = gain * rate / math.sqrt(inputs)
        self.rate = rate

    def forward(self, features: Tensor) -> Tensor:
        """[..., inputs] to [..., outputs]."""
        bias = self.bias if self.rate == 1.0 else self.bias * self.rate
        return functional.linear(features, self.weight * self.scale, bias)


class EqualConv2d(nn.Module):
    """Convolution with an equalised learning rate, zero-padded to keep the size at stride 1.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        size: Kernel size, odd.
        gain: Factor on the weights.
        bias: Whether there is a bias, initially 0.
    """

    def __init__(self, inputs: int, outputs: int, size: int, *, gain: float = 1.0, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = gain / math.sqrt(inputs * size * size)
        self.padding = size // 2

    def forward(self, images: Tensor, *, stride: int = 1, padding: int | None = None) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H', W']."""
        padding = self.padding if padding is None else padding
        return functional.conv2d(images, self.weight * self.scale, self.bias, stride=stride, padding=padding)


def activate(features: Tensor, gain: float = math.sqrt(2.0), clamp: float | None = None) -> Tensor:
    """Leaky rectifier of slope 0.2 times `gain`, limited to +-`clamp`; sqrt(2) keeps the variance (StyleGAN2)."""
    return rectify(features * gain, clamp)


def rectify(features: Tensor, clamp: float | None = None) -> Tensor:
    """Leaky rectifier of slope 0.2, limited to +-`clamp`, written over `features`.

    A positive gain can be applied before. For maps of 33 MB on a CPU, overwriting was eleven times as fast as writing
    to newly allocated memory.
    """
    features = functional.leaky_relu_(features, SLOPE)
    return features if clamp is None else features.clamp(-clamp, clamp)


def unit_rms(vectors: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Vectors [..., D] divided by their root mean square (the normalisation of z, Karras et al. 2019, appendix C)."""
    return vectors * (vectors.square().mean(dim=-1, keepdim=True) + epsilon).rsqrt()


def minibatch_std(features: Tensor, group: int = 4, maps: int = 1) -> Tensor:
    """Append maps of the mean standard deviation of the features within groups of images.

    Groups are strided: 8 images in groups of 4 are split into the even and the odd ones (Karras et al. 2018, section 3;
    groups as in Karras et al. 2019 and 2020).

    Args:
        features: [N, C, H, W].
        group: Images a group; the largest divisor of N up to this is used.
        maps: Appended maps, a divisor of C.

    Returns:
        [N, C + maps, H, W].
    """
    count, channels, height, width = features.shape
    size = next(divisor for divisor in range(min(group, count), 0, -1) if count % divisor == 0)
    grouped = features.float().reshape(size, -1, maps, channels // maps, height, width)
    std = (grouped.var(dim=0, unbiased=False) + EPSILON).sqrt().mean(dim=(2, 3, 4))
    added = std.reshape(-1, maps, 1, 1).repeat(size, 1, height, width)
    return torch.cat([features, added.to(features.dtype)], dim=1)


def channel_table(channels: Mapping[int, int] | Sequence[tuple[int, int]]) -> dict[int, int]:
    """Channels by resolution, sorted from 4 upwards.

    Raises:
        ValueError: The resolutions are not 4, 8, 16, ...
    """
    table = dict(sorted(dict(channels).items()))
    if list(table) != [4 * 2**step for step in range(len(table))] or not table:
        raise ValueError(f"channels are for resolutions {list(table)}; expected 4, 8, 16, ... without a gap")
    return table
