"""The discriminators of StyleGAN2 (Karras et al. 2020, section 4.1): residual, with input skips, or plain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from ghbench.generators.layers import EqualConv2d, EqualLinear, activate, channel_table, minibatch_std
from ghbench.generators.mapping import MappingNetwork
from ghbench.generators.resampling import downsample, filter_kernel, smooth

DiscriminatorArchitecture = Literal["residual", "skip", "plain"]


class DownBlock(nn.Module):
    """Two convolutions, the second of which halves the size; with a shortcut if residual.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        residual: Whether there is a shortcut.
        clamp: Limit of every output, None for no limit.
    """

    kernel: Tensor

    def __init__(self, inputs: int, outputs: int, *, residual: bool, clamp: float | None) -> None:
        super().__init__()
        self.conv = EqualConv2d(inputs, inputs, 3)
        self.down = EqualConv2d(inputs, outputs, 3)
        self.skip = EqualConv2d(inputs, outputs, 1, bias=False) if residual else None
        self.clamp = clamp
        self.register_buffer("kernel", filter_kernel(), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """[N, inputs, R, R] to [N, outputs, R/2, R/2]."""
        # Both branches are halved in variance, so that their sum keeps it.
        gain = 1.0 if self.skip is None else math.sqrt(0.5)
        output = activate(self.conv(features), clamp=self.clamp)
        output = self.down(smooth(output, self.kernel, padding=2), stride=2, padding=0)
        output = activate(output, math.sqrt(2.0) * gain, None if self.clamp is None else self.clamp * gain)
        return output if self.skip is None else output + self.skip(downsample(features, self.kernel)) * gain


class StyleGAN2Discriminator(nn.Module):
    """A StyleGAN2 discriminator.

    Args:
        channels: Channels by resolution, from 4 to the image size.
        labels: Label size, 0 for an unconditional discriminator.
        label_layers: Dense layers of the label's mapping network.
        architecture: `residual`; `skip`, where the downsampled image is an input at every resolution; or `plain`.
        conv_clamp: Limit of every convolution's output, None for no limit.
        colours: Image channels.
        group: Images a group for the minibatch standard deviation.

    Raises:
        ValueError: Resolutions are missing, or the architecture is unknown.
    """

    kernel: Tensor

    def __init__(
        self,
        channels: Mapping[int, int] | Sequence[tuple[int, int]],
        *,
        labels: int = 0,
        label_layers: int = 8,
        architecture: DiscriminatorArchitecture = "residual",
        conv_clamp: float | None = None,
        colours: int = 3,
        group: int = 4,
    ) -> None:
        super().__init__()
        if architecture not in {"residual", "skip", "plain"}:
            raise ValueError(f"architecture is {architecture!r}; expected residual, skip or plain")
        table = channel_table(channels)
        self.channels, self.resolution = table, max(table)
        self.architecture, self.clamp, self.group, self.colours = architecture, conv_clamp, group, colours
        residual = architecture == "residual"
        entries = list(table)[::-1] if architecture == "skip" else [self.resolution]
        self.from_rgb = nn.ModuleDict({f"r{place}": EqualConv2d(colours, table[place], 1) for place in entries})
        self.blocks = nn.ModuleDict()
        for place in list(table)[:0:-1]:
            self.blocks[f"r{place}"] = DownBlock(table[place], table[place // 2], residual=residual, clamp=conv_clamp)
        width = table[4]
        self.final_conv = EqualConv2d(width + 1, width, 3)
        self.hidden = EqualLinear(width * 16, width)
        self.logit = EqualLinear(width, width if labels else 1)
        self.label_mapping = MappingNetwork(0, width, layers=label_layers, labels=labels) if labels else None
        self.register_buffer("kernel", filter_kernel(), persistent=False)

    def configuration(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON values."""
        return {
            "channels": [list(entry) for entry in self.channels.items()],
            "labels": 0 if self.label_mapping is None else self.label_mapping.labels,
            "label_layers": 8 if self.label_mapping is None else len(self.label_mapping.layers),
            "architecture": self.architecture,
            "conv_clamp": self.clamp,
            "colours": self.colours,
            "group": self.group,
        }

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Score images.

        Args:
            images: [N, colours, R, R], nominally in [-1, 1].
            labels: [N, labels], for a conditional discriminator.

        Returns:
            Logits [N, 1], large for real images.

        Raises:
            ValueError: Images have the wrong size, or labels are missing, or given to an unconditional discriminator.
        """
        if images.shape[-2:] != (self.resolution, self.resolution):
            side = self.resolution
            raise ValueError(f"images have shape {tuple(images.shape)}; expected [N, {self.colours}, {side}, {side}]")
        features = minibatch_std(self.maps(images)[-1], self.group)
        features = activate(self.final_conv(features), clamp=self.clamp)
        output: Tensor = self.logit(activate(self.hidden(features.flatten(1))))
        return self._project(output.float(), labels)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Features after each block [N, C, R, R], from half the images' side to 4; no image depends on another."""
        found: list[Tensor] = []
        features: Tensor | None = None
        for place in [*self.blocks, "r4"]:
            if place in self.from_rgb:
                entered = activate(self.from_rgb[place](images), clamp=self.clamp)
                features = entered if features is None else features + entered
                images = downsample(images, self.kernel) if place != "r4" else images
            if place in self.blocks:
                features = self.blocks[place](features)
                found.append(features)
        assert features is not None
        return [*found[:-1], features]

    def _project(self, output: Tensor, labels: Tensor | None) -> Tensor:
        """Logits as inner products with the mapped label (projection, as in the official program)."""
        if self.label_mapping is None:
            if labels is not None and labels.shape[-1]:
                raise ValueError("this discriminator takes no labels")
            return output
        mapped: Tensor = self.label_mapping(None, labels)
        return (output * mapped).sum(dim=1, keepdim=True) / math.sqrt(mapped.shape[1])
