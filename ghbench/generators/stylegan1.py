"""StyleGAN (Karras et al. 2019): styles enter as scale and bias after instance normalisation (AdaIN)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ghbench.generators.layers import EPSILON, EqualConv2d, EqualLinear, activate, channel_table
from ghbench.generators.levels import GeneratorLevel
from ghbench.generators.mapping import MappingNetwork
from ghbench.generators.protocol import Noise
from ghbench.generators.resampling import narrow_kernel, smooth_narrow
from ghbench.generators.style_generator import StyleGenerator
from ghbench.generators.synthesis import LevelTap, NoiseInput


def adaptive_instance_norm(features: Tensor, code: Tensor) -> Tensor:
    """Normalise each channel of each image to mean 0 and standard deviation 1, then scale and shift it.

    Source: Karras et al. 2019, section 2, equation 1; the code holds scales minus 1.

    Args:
        features: [N, C, H, W].
        code: [N, 2C], scales first.

    Returns:
        [N, C, H, W].
    """
    scale, shift = code[:, :, None, None].chunk(2, dim=1)
    variance, mean = torch.var_mean(features.float(), dim=(2, 3), correction=0, keepdim=True)
    factor = (scale + 1) * (variance + EPSILON).rsqrt()
    # One pass over the features: (x - mean) factor + shift.
    return features * factor.to(features.dtype) + (shift - mean * factor).to(features.dtype)


def doubling_weight(weight: Tensor) -> Tensor:
    """The [O, I, 4, 4] kernel of a box filter of 2x2 pixels and a kernel [O, I, 3, 3] in one."""
    padded = functional.pad(weight, (1, 1, 1, 1))
    return padded[..., 1:, 1:] + padded[..., :-1, 1:] + padded[..., 1:, :-1] + padded[..., :-1, :-1]


class StyleLayer(nn.Module):
    """Convolution (none in the first layer), noise, bias, rectifier and style.

    Args:
        inputs: Input channels, 0 for the first layer, which has no convolution.
        outputs: Output channels.
        w_dim: Dimensions of w.
        resolution: Resolution of the output.
        up: Whether it doubles the size.
        fused: See `StyleGAN1`.
    """

    kernel: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, resolution: int, *, up: bool, fused: bool) -> None:
        super().__init__()
        self.style = EqualLinear(w_dim, 2 * outputs)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3)) if inputs else None
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise = NoiseInput(resolution, outputs)
        self.scale = math.sqrt(2.0 / (max(inputs, 1) * 9))
        self.up, self.fused = up, fused
        self.register_buffer("kernel", narrow_kernel(), persistent=False)

    def forward(self, features: Tensor, code: Tensor, noise: Noise, row: int) -> Tensor:
        """[N, inputs, H, W] and code [N, 2 outputs] to [N, outputs, R, R]."""
        if self.weight is not None:
            weight = self.weight * self.scale
            if self.up:
                # Repeating pixels and convolving equals a transposed convolution with the rotated kernel, which takes
                # 4/9 of the multiplications.
                weight = doubling_weight(weight if self.fused else weight.flip(2, 3)).transpose(0, 1)
                features = functional.conv_transpose2d(features, weight, stride=2, padding=1)
                features = smooth_narrow(features, self.kernel)
            else:
                features = functional.conv2d(features, weight, padding=1)
        features = self.noise(features, noise, row) + self.bias.to(features.dtype)[:, None, None]
        return adaptive_instance_norm(activate(features, gain=1.0), code)


class StyleBlock(nn.Module):
    """All layers of one resolution: `const` or `up`, `conv`, and `rgb`."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, resolution: int, *, colours: int, fused: bool) -> None:
        super().__init__()
        first = resolution == 4
        self.const = StyleLayer(0, outputs, w_dim, 4, up=False, fused=False) if first else None
        self.up = None if first else StyleLayer(inputs, outputs, w_dim, resolution, up=True, fused=fused)
        self.conv = StyleLayer(outputs, outputs, w_dim, resolution, up=False, fused=False)
        self.rgb = EqualConv2d(outputs, colours, 1)

    def first(self) -> tuple[str, StyleLayer]:
        """Name and module of the first layer."""
        if self.const is not None:
            return "const", self.const
        assert self.up is not None
        return "up", self.up


class StyleGAN1(StyleGenerator):
    """A StyleGAN generator.

    Its style codes are GH-Feat's Y space: scales minus 1, then biases. Nothing in them cancels, so raw codes are
    canonical.

    Args:
        channels: Channels by resolution, from 4 to the image size.
        z_dim: Dimensions of z.
        w_dim: Dimensions of w.
        mapping_layers: Dense layers of the mapping network.
        mapping_width: Width of the hidden mapping layers, w_dim by default.
        fused_from: Lowest resolution whose upsampling kernels are for a transposed convolution; below it they are for a
            convolution of repeated pixels. The two differ by a rotation of 180 degrees, so weights fit only one. The
            official program has 128.
        colours: Image channels.
        mapping_rate: Learning-rate multiplier of the mapping network.

    Attributes:
        lod: Level of detail of progressive growing: 0 for full resolution, 1 for half, fractions blend.

    Raises:
        ValueError: Resolutions are missing.
    """

    def __init__(
        self,
        channels: Mapping[int, int] | Sequence[tuple[int, int]],
        *,
        z_dim: int = 512,
        w_dim: int = 512,
        mapping_layers: int = 8,
        mapping_width: int | None = None,
        fused_from: int = 128,
        colours: int = 3,
        mapping_rate: float = 0.01,
    ) -> None:
        table = channel_table(channels)
        mapping_network = MappingNetwork(
            z_dim, w_dim, layers=mapping_layers, hidden=mapping_width, gain_on_weights=True, rate=mapping_rate
        )
        super().__init__(mapping_network, rows=2 * len(table))
        self.channels, self.resolution = table, max(table)
        self.mapping_width, self.fused_from, self.colours = mapping_width, fused_from, colours
        self.lod = 0.0
        self.const = nn.Parameter(torch.ones(table[4], 4, 4))
        self.blocks = nn.ModuleDict()
        for resolution, outputs in table.items():
            self.blocks[f"r{resolution}"] = StyleBlock(
                table.get(resolution // 2, outputs), outputs, w_dim, resolution,
                colours=colours, fused=resolution >= fused_from,
            )  # fmt: skip
        self._layers: dict[str, StyleLayer] = {}
        for place, block in self._blocks():
            name, layer = block.first()
            self._layers |= {f"{place}.{name}": layer, f"{place}.conv": block.conv}
        self._levels = tuple(self._describe(name, layer, row) for row, (name, layer) in enumerate(self._layers.items()))

    def configuration(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON values."""
        return {
            "channels": [list(entry) for entry in self.channels.items()],
            "z_dim": self.z_dim,
            "w_dim": self.w_dim,
            "mapping_layers": len(self.mapping_network.layers),
            "mapping_width": self.mapping_width,
            "fused_from": self.fused_from,
            "colours": self.colours,
            # Only where it is unusual: files without it stay as they are.
            **({} if self.mapping_network.rate == 0.01 else {"mapping_rate": self.mapping_network.rate}),
        }

    def affine(self, level: str) -> nn.Module:
        """The layer that maps w to a level's scales and biases."""
        return self._layers[level].style

    def run(self, codes: Mapping[str, Tensor], noise: Noise, tap: LevelTap) -> Tensor:
        """Run the synthesis network; see `StyleGenerator`."""
        features = self.const.expand(codes["r4.const"].shape[0], -1, -1, -1)
        image: Tensor | None = None
        for step, (place, block) in enumerate(self._blocks()):
            # Weight of this resolution's colours: 1 up to the level of detail, a fraction while fading in, 0 above
            # (Karras et al. 2018, section 3 and figure 2).
            halvings = len(self.blocks) - 1 - step
            share = min(max(halvings + 1 - self.lod, 0.0), 1.0)
            if share > 0:
                name, layer = block.first()
                features = tap(f"{place}.{name}", layer(features, codes[f"{place}.{name}"], noise, 2 * step))
                features = tap(f"{place}.conv", block.conv(features, codes[f"{place}.conv"], noise, 2 * step + 1))
            if image is not None:
                image = functional.interpolate(image, scale_factor=2.0, mode="nearest")
            if share == 1 and self.lod > halvings - 1:
                image = block.rgb(features).float()
            elif image is not None and 0 < share < 1:
                image = image.lerp(block.rgb(features).float(), share)
        assert image is not None, f"level of detail {self.lod} is below 4 px"
        return image

    def _blocks(self) -> list[tuple[str, StyleBlock]]:
        return [(place, block) for place, block in self.blocks.items() if isinstance(block, StyleBlock)]

    def _describe(self, name: str, layer: StyleLayer, row: int) -> GeneratorLevel:
        channels = layer.bias.shape[0]
        return GeneratorLevel(
            name=name,
            resolution=int(name.partition(".")[0][1:]),
            channels=channels,
            code_width=2 * channels,
            layer=row,
            number=self.rows - row,
            scale_free=False,
        )
