"""The discriminator of StyleGAN (Karras et al. 2019; that of Karras et al. 2018 with smoothed downsampling)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ghbench.generators.layers import EqualConv2d, EqualLinear, activate, channel_table, minibatch_std
from ghbench.generators.resampling import narrow_kernel, smooth_narrow
from ghbench.generators.stylegan1 import doubling_weight

GAIN = math.sqrt(2.0)
"""Applied to the weights in StyleGAN; the rectifier has no gain."""


class HalvingBlock(nn.Module):
    """Two convolutions; the second smooths first and halves the size."""

    kernel: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = EqualConv2d(inputs, inputs, 3, gain=GAIN)
        self.down = EqualConv2d(inputs, outputs, 3, gain=GAIN)
        self.register_buffer("kernel", narrow_kernel(), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """[N, inputs, R, R] to [N, outputs, R/2, R/2]."""
        features = smooth_narrow(activate(self.conv(features), gain=1.0), self.kernel)
        # A convolution and the mean of 2x2 pixels are one convolution with stride 2.
        weight = doubling_weight(self.down.weight * self.down.scale) * 0.25
        return activate(functional.conv2d(features, weight, self.down.bias, stride=2, padding=1), gain=1.0)


class StyleGAN1Discriminator(nn.Module):
    """A StyleGAN discriminator at full resolution (no progressive growing).

    Args:
        channels: Channels by resolution, from 4 to the image size.
        colours: Image channels.
        group: Images a group for the minibatch standard deviation.

    Raises:
        ValueError: Resolutions are missing.
    """

    def __init__(
        self, channels: Mapping[int, int] | Sequence[tuple[int, int]], *, colours: int = 3, group: int = 4
    ) -> None:
        super().__init__()
        table = channel_table(channels)
        self.channels, self.resolution, self.group = table, max(table), group
        self.colours = colours
        self.from_rgb = EqualConv2d(colours, table[self.resolution], 1, gain=GAIN)
        self.blocks = nn.ModuleDict()
        for place in list(table)[:0:-1]:
            self.blocks[f"r{place}"] = HalvingBlock(table[place], table[place // 2])
        width = table[4]
        self.final_conv = EqualConv2d(width + 1, width, 3, gain=GAIN)
        self.hidden = EqualLinear(width * 16, width, gain=GAIN)
        self.logit = EqualLinear(width, 1)

    def configuration(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON values."""
        return {
            "channels": [list(entry) for entry in self.channels.items()],
            "colours": self.colours,
            "group": self.group,
        }

    def forward(self, images: Tensor) -> Tensor:
        """Score images.

        Args:
            images: [N, colours, R, R], nominally in [-1, 1].

        Returns:
            Logits [N, 1], large for real images.

        Raises:
            ValueError: Images have the wrong size.
        """
        if images.shape[-2:] != (self.resolution, self.resolution):
            side = self.resolution
            raise ValueError(f"images have shape {tuple(images.shape)}; expected [N, {self.colours}, {side}, {side}]")
        features = minibatch_std(self.maps(images)[-1], self.group)
        features = activate(self.final_conv(features), gain=1.0)
        output: Tensor = self.logit(activate(self.hidden(features.flatten(1)), gain=1.0))
        return output.float()

    def maps(self, images: Tensor) -> list[Tensor]:
        """Features after each block [N, C, R, R], from half the images' side to 4; no image depends on another."""
        features, found = activate(self.from_rgb(images), gain=1.0), []
        for block in self.blocks.values():
            features = block(features)
            found.append(features)
        return found
