"""Adaptive discriminator augmentation, which keeps a discriminator from memorising a small training set.

Source: Karras et al., "Training Generative Adversarial Networks with Limited Data", NeurIPS 2020, section 2 and
appendix B, without its rotations by 90 degrees, hue, saturation, filters, noise and cutout.

All geometry is merged into one resampling step, by the cubic convolution of Keys (1981, a = -1/2) instead of the
paper's wavelet filters: it interpolates, so that the identity, flips and whole-pixel shifts are exact, and its 16 taps
blur less than bilinear sampling. Shrinking is not prefiltered, since scales vary by only 0.2 octaves. Beyond the edges
the image is reflected about its border pixels.

The taps are read by `gather`, not by `grid_sample`, which cannot be differentiated twice, as R1 needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ghbench.errors import UsageError


@dataclass(frozen=True, slots=True)
class Strengths:
    """Strength of each transform; the defaults are the paper's.

    Args:
        flip: Whether images may be flipped left to right.
        integer_shift: Largest whole-pixel shift, as a fraction of the side.
        scale: Standard deviation of log2 of the scale, for isotropic and anisotropic scaling.
        turn: Largest rotation, as a fraction of 180 degrees.
        fractional_shift: Standard deviation of the fractional shift, as a fraction of the side.
        brightness: Standard deviation of the offset, for images in [-1, 1].
        contrast: Standard deviation of log2 of the factor.
        luma_flip: Whether luma may be inverted, with the colour unchanged.
    """

    flip: bool = True
    integer_shift: float = 0.125
    scale: float = 0.2
    turn: float = 1.0
    fractional_shift: float = 0.125
    brightness: float = 0.2
    contrast: float = 0.5
    luma_flip: bool = True


DEFAULT = Strengths()
_GATES, _UNIFORMS, _NORMALS = 10, 6, 6


def augment(
    images: Tensor, p: Tensor, *, generator: torch.Generator | None = None, strengths: Strengths = DEFAULT
) -> Tensor:
    """Transform each image at random; differentiable to any order in the images.

    Flip, whole-pixel shift, isotropic scale, rotation, anisotropic scale, a second rotation and fractional shift are
    applied in this order, then brightness, contrast and luma flip if there are three channels. Each is applied to an
    image with probability p; the rotations with 1 - sqrt(1 - p) each, so that p is the probability of any. The
    computation is in float32 even under autocast, and no shape or branch depends on data.

    Args:
        images: Floating [N, C, H, W], sides at least 2, values within [-1, 1].
        p: Scalar within [0, 1], on the images' device.
        generator: Random generator; None for torch's default one, the only one that compiled functions can use.
        strengths: Strength of each transform.

    Returns:
        [N, C, H, W] of the images' dtype; at p = 0 exactly the images.
    """
    count, channels, height, width = images.shape
    numbers = _Numbers.draw(count, images.device, generator)
    values = images.float()
    values = resample(values, _inverse_transform(numbers, p.float(), height, width, strengths))
    if channels == 3:
        values = _recolour(values, numbers, p.float(), strengths)
    return values.to(images.dtype)


def resample(images: Tensor, inverse: Tensor) -> Tensor:
    """Resample images by cubic convolution, reflected about their border pixels.

    Source: R. Keys, "Cubic Convolution Interpolation for Digital Image Processing", IEEE Transactions on Acoustics,
    Speech and Signal Processing, 1981, equation 15.

    Args:
        images: float32 [N, C, H, W], sides at least 2.
        inverse: float32 [N, 2, 3]; maps (x, y, 1) of an output pixel, in pixels from the centre, to the input.

    Returns:
        float32 [N, C, H, W].
    """
    count, channels, height, width = images.shape
    x = torch.arange(width, device=images.device, dtype=torch.float32) - (width - 1) / 2
    y = torch.arange(height, device=images.device, dtype=torch.float32)[:, None] - (height - 1) / 2
    # Not matrix products: autocast and TF32 would round them, and positions need full precision.
    m = inverse[:, :, :, None, None]
    source_x = m[:, 0, 0] * x + m[:, 0, 1] * y + m[:, 0, 2] + (width - 1) / 2
    source_y = m[:, 1, 0] * x + m[:, 1, 1] * y + m[:, 1, 2] + (height - 1) / 2
    left, top = source_x.floor(), source_y.floor()
    column_weights, row_weights = _cubic_weights(source_x - left), _cubic_weights(source_y - top)
    columns = [_mirror(left.long() + offset, width) for offset in (-1, 0, 1, 2)]
    rows = [_mirror(top.long() + offset, height) * width for offset in (-1, 0, 1, 2)]
    flat = images.reshape(count, channels, height * width)
    result = torch.zeros_like(flat)
    for row, row_weight in zip(rows, row_weights, strict=True):
        for column, column_weight in zip(columns, column_weights, strict=True):
            place = (row + column).reshape(count, 1, -1).expand(-1, channels, -1)
            weight = (row_weight * column_weight).reshape(count, 1, -1)
            result = result + flat.gather(2, place) * weight
    return result.reshape(images.shape)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The random numbers of one call: which transforms are applied to each image, and how strongly."""

    gates: Tensor
    uniforms: Tensor
    normals: Tensor

    @classmethod
    def draw(cls, count: int, device: torch.device, generator: torch.Generator | None) -> _Numbers:
        # Left out instead of None: a compiled function accepts no generator argument.
        chosen: dict[str, Any] = {} if generator is None else {"generator": generator}
        return cls(
            torch.rand(_GATES, count, device=device, **chosen),
            torch.rand(_UNIFORMS, count, device=device, **chosen),
            torch.randn(_NORMALS, count, device=device, **chosen),
        )


def _inverse_transform(numbers: _Numbers, p: Tensor, height: int, width: int, strengths: Strengths) -> Tensor:
    """[N, 2, 3] for `resample`: the product of the inverses, that of the first transform leftmost."""
    gates, uniform, normal = numbers.gates, numbers.uniforms, numbers.normals
    one, zero = torch.ones_like(gates[0]), torch.zeros_like(gates[0])
    p_turn = 1 - (1 - p).clamp(min=0).sqrt()

    def shift(gate: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return _affine(one, zero, torch.where(gate, -x, zero), zero, one, torch.where(gate, -y, zero))

    def rotation(gate: Tensor, number: Tensor) -> Tensor:
        angle = torch.where(gate, (2 * number - 1) * (math.pi * strengths.turn), zero)
        cosine, sine = angle.cos(), angle.sin()
        return _affine(cosine, sine, zero, -sine, cosine, zero)

    def scaling(gate: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return _affine(torch.where(gate, 1 / x, one), zero, zero, zero, torch.where(gate, 1 / y, one), zero)

    mirror = torch.where((gates[0] < p) & (uniform[0] < 0.5) & strengths.flip, -one, one)
    whole = [((2 * uniform[i] - 1) * strengths.integer_shift * side).round() for i, side in ((1, width), (2, height))]
    size, stretch = torch.exp2(normal[0] * strengths.scale), torch.exp2(normal[1] * strengths.scale)
    part = [normal[i] * strengths.fractional_shift * side for i, side in ((2, width), (3, height))]
    result = _affine(mirror, zero, zero, zero, one, zero)
    for step in (
        shift(gates[1] < p, *whole),
        scaling(gates[2] < p, size, size),
        rotation(gates[3] < p_turn, uniform[3]),
        scaling(gates[4] < p, stretch, 1 / stretch),
        rotation(gates[5] < p_turn, uniform[4]),
        shift(gates[6] < p, *part),
    ):
        result = _product(result, step)
    return result[:, :2]


def _recolour(images: Tensor, numbers: _Numbers, p: Tensor, strengths: Strengths) -> Tensor:
    """Brightness, contrast and luma flip of [N, 3, H, W]."""
    gates, normal = numbers.gates, numbers.normals
    zero, one = torch.zeros_like(gates[0]), torch.ones_like(gates[0])
    added = torch.where(gates[7] < p, normal[4] * strengths.brightness, zero)
    factor = torch.where(gates[8] < p, torch.exp2(normal[5] * strengths.contrast), one)
    flipped = torch.where((gates[9] < p) & (numbers.uniforms[5] < 0.5) & strengths.luma_flip, 2 * one, zero)
    changed = (images + added[:, None, None, None]) * factor[:, None, None, None]
    # Reflection at the plane through 0 orthogonal to the grey axis: the channels' mean changes its sign.
    return changed - flipped[:, None, None, None] * changed.mean(dim=1, keepdim=True)


def _affine(xx: Tensor, xy: Tensor, x: Tensor, yx: Tensor, yy: Tensor, y: Tensor) -> Tensor:
    """[N, 3, 3] from its entries [N]."""
    zero, one = torch.zeros_like(xx), torch.ones_like(xx)
    return torch.stack([xx, xy, x, yx, yy, y, zero, zero, one], dim=1).reshape(-1, 3, 3)


def _product(first: Tensor, second: Tensor) -> Tensor:
    """Matrix products of [N, 3, 3], in full float32."""
    return (first[:, :, :, None] * second[:, None]).sum(dim=2)


def _cubic_weights(t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights of the neighbours at -1, 0, 1, 2 for a position t in [0, 1) after neighbour 0."""
    t2, t3 = t * t, t * t * t
    return (
        (-t3 + 2 * t2 - t) / 2,
        (3 * t3 - 5 * t2 + 2) / 2,
        (-3 * t3 + 4 * t2 + t) / 2,
        (t3 - t2) / 2,
    )


def _mirror(index: Tensor, size: int) -> Tensor:
    """Reflect indices into [0, size) at the first and last pixel."""
    period = 2 * (size - 1)
    folded = index.remainder(period)
    return torch.minimum(folded, period - folded)


class AdaptiveProbability:
    """Adapts the probability of augmentation to keep the discriminator's overfitting at a target.

    Overfitting is measured by E[sign D(real)] over a few steps, the paper's r_t: 0 is none, 1 is complete. Nothing here
    waits for the device.

    Args:
        target: Target r_t.
        images: Fewest images in which p can rise from 0 to 1.
        interval: Images between adjustments.
        maximum: Largest p.
        start: Initial p.
        device: Device of `p`.

    Attributes:
        p: float32 scalar tensor, changed in place so that compiled functions are not compiled again.

    Raises:
        UsageError: A value is out of range.
    """

    def __init__(
        self,
        *,
        target: float = 0.6,
        images: int = 500_000,
        interval: int = 256,
        maximum: float = 1.0,
        start: float = 0.0,
        device: torch.device | str = "cpu",
    ) -> None:
        if not (-1 <= target <= 1 and 0 <= start <= maximum <= 1 and images > 0 and interval > 0):
            raise UsageError(
                f"augmentation with target {target}, images {images}, interval {interval}, start {start} and maximum "
                f"{maximum}; expected a target within [-1, 1], 0 <= start <= maximum <= 1, and positive images"
            )
        self.target, self.images, self.interval, self.maximum = target, images, interval, maximum
        self.p = torch.tensor(float(start), device=device)
        self._signs = torch.zeros((), device=device)
        self._seen = 0

    def to(self, device: torch.device | str) -> AdaptiveProbability:
        """Move `p` and the counts to the discriminator's device."""
        self.p, self._signs = self.p.to(device), self._signs.to(device)
        return self

    def observe(self, real_signs: Tensor, images: int) -> None:
        """Add the discriminator's output on a step's real images, and adjust p once an interval is full.

        Args:
            real_signs: Mean of `D(real).sign()` over the step and all processes, a scalar.
            images: Real images in the step, over all processes.
        """
        self._signs += real_signs.detach().float() * images
        self._seen += images
        if self._seen < self.interval:
            return
        direction = torch.sign(self._signs / self._seen - self.target)
        self.p += direction * (self._seen / self.images)
        self.p.clamp_(0.0, self.maximum)
        self._signs.zero_()
        self._seen = 0

    def state_dict(self) -> dict[str, float]:
        """State for checkpoints."""
        return {"p": self.p.item(), "signs": self._signs.item(), "seen": float(self._seen)}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Load what `state_dict` returned."""
        self.p.fill_(state["p"])
        self._signs.fill_(state["signs"])
        self._seen = int(state["seen"])
