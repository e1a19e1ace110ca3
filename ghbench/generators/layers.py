"""Layers with an equalised learning rate, the activation, and what else the networks share.

Equalised learning rate (Karras et al., "Progressive Growing of GANs", 2018, section 4.1): parameters are kept at unit
scale and multiplied by gain / sqrt(fan-in) when used.
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
        inputs: Numbers in.
        outputs: Numbers out.
        gain: Factor on the weights.
        rate: Learning-rate multiplier: weights are kept 1/rate times larger, and weights and bias are multiplied by it.
        bias: What each bias does to the output at the start.
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
    """Convolution with an equalised learning rate, zero-padded so that stride 1 keeps the size.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        size: Side of the kernel, odd.
        gain: Factor on the weights.
        bias: Whether there is one; it starts at 0.
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

    A positive gain can as well be applied before. Overwriting matters: for maps of 33 MB on a CPU it measured eleven
    times as fast as writing into memory that the system first has to hand out.
    """
    features = functional.leaky_relu_(features, SLOPE)
    return features if clamp is None else features.clamp(-clamp, clamp)


def unit_rms(vectors: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Vectors [..., D] divided by their root mean square (the normalisation of z, Karras et al. 2019, appendix C)."""
    return vectors * (vectors.square().mean(dim=-1, keepdim=True) + epsilon).rsqrt()


def minibatch_deviation(features: Tensor, group: int = 4, maps: int = 1) -> Tensor:
    """Append maps that hold the mean deviation of the features within groups of images.

    The members of a group are strided, not adjacent: with 8 images in groups of 4 the groups are the even and the odd
    ones (Karras et al. 2018, section 3; groups as in Karras et al. 2019 and 2020).

    Args:
        features: [N, C, H, W].
        group: Images of a group; the largest divisor of N up to this is used.
        maps: Maps appended, a divisor of C.

    Returns:
        [N, C + maps, H, W].
    """
    count, channels, height, width = features.shape
    size = next(divisor for divisor in range(min(group, count), 0, -1) if count % divisor == 0)
    grouped = features.float().reshape(size, -1, maps, channels // maps, height, width)
    deviation = (grouped.var(dim=0, unbiased=False) + EPSILON).sqrt().mean(dim=(2, 3, 4))
    added = deviation.reshape(-1, maps, 1, 1).repeat(size, 1, height, width)
    return torch.cat([features, added.to(features.dtype)], dim=1)


def channel_table(channels: Mapping[int, int] | Sequence[tuple[int, int]]) -> dict[int, int]:
    """Channels by resolution, sorted from 4 upwards.

    Raises:
        ValueError: The resolutions are not 4, 8, 16, ...
    """
    table = dict(sorted(dict(channels).items()))
    if list(table) != [4 * 2**step for step in range(len(table))] or not table:
        raise ValueError(f"channels are given for the resolutions {list(table)}; expected 4, 8, 16, ... without a gap")
    return table
