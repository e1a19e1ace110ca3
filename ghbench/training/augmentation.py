"""Adaptive discriminator augmentation: what keeps a discriminator from learning a small training set by heart.

Source: Karras et al., "Training Generative Adversarial Networks with Limited Data", NeurIPS 2020, section 2 and
appendix B; the paper's rotations by quarter turns, hue, saturation, filters, noise and cut-out are left out.

All geometry is merged into one resampling. It is the cubic convolution of Keys (1981, a = -1/2) instead of the paper's
wavelet filters: it interpolates, so that an image whose transform is the identity, a flip or a whole-pixel shift comes
back exactly, and its 16 taps blur less than the four of bilinear sampling. Shrinking is not prefiltered, since scales
deviate by 0.2 octaves only. Beyond the edge the picture is mirrored about its border pixels, without end.

The taps are read by `gather`, not by `grid_sample`, whose gradient has no gradient: R1 differentiates twice.
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
    """How far each transform reaches when it is applied; defaults are the paper's.

    Args:
        flip: Whether images may be flipped left to right.
        integer_shift: Largest shift by whole pixels, as a fraction of the side.
        scale: Deviation of log2 of the scale, for isotropic and for anisotropic scaling.
        turn: Largest rotation, as a fraction of half a turn.
        fractional_shift: Deviation of the shift by fractions of pixels, as a fraction of the side.
        brightness: Deviation of what is added; images are within [-1, 1].
        contrast: Deviation of log2 of the factor.
        luma_flip: Whether luma may be inverted, its colour kept.
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
    """Transform each image at random; differentiable, as often as wanted, in the images.

    Flip, whole-pixel shift, isotropic scale, rotation, anisotropic scale, rotation again and fractional shift are
    applied in this order, then brightness, contrast and luma flip if there are three channels. Each is applied to an
    image with probability p; the two rotations each with 1 - sqrt(1 - p), so that one of them is with p. The
    computation is in float32 whatever autocast says, and no shape or branch depends on data.

    Args:
        images: Floating [N, C, H, W], sides at least 2, values within [-1, 1].
        p: Scalar within [0, 1], on the images' device.
        generator: Source of chance; None: torch's default one. Compiled functions can only use that.
        strengths: How far each transform reaches.

    Returns:
        [N, C, H, W] of the images' dtype; at p = 0 exactly the images.
    """
    count, channels, height, width = images.shape
    numbers = _Numbers.draw(count, images.device, generator)
    values = images.float()
    values = resample(values, _inverse_transform(numbers, p.float(), height, width, strengths))
    if channels == 3:
        values = _recoloured(values, numbers, p.float(), strengths)
    return values.to(images.dtype)


def resample(images: Tensor, inverse: Tensor) -> Tensor:
    """Sample images at transformed places by cubic convolution, mirrored about their border pixels.

    Source: R. Keys, "Cubic Convolution Interpolation for Digital Image Processing", IEEE Transactions on Acoustics,
    Speech and Signal Processing, 1981, equation 15.

    Args:
        images: float32 [N, C, H, W], sides at least 2.
        inverse: float32 [N, 2, 3]; takes (x, y, 1) of an output pixel, in pixels from the centre, to its place in the
            input.

    Returns:
        float32 [N, C, H, W].
    """
    count, channels, height, width = images.shape
    x = torch.arange(width, device=images.device, dtype=torch.float32) - (width - 1) / 2
    y = torch.arange(height, device=images.device, dtype=torch.float32)[:, None] - (height - 1) / 2
    # Written out, not as matrix products, which autocast and TF32 would shorten; places need all their digits.
    m = inverse[:, :, :, None, None]
    source_x = m[:, 0, 0] * x + m[:, 0, 1] * y + m[:, 0, 2] + (width - 1) / 2
    source_y = m[:, 1, 0] * x + m[:, 1, 1] * y + m[:, 1, 2] + (height - 1) / 2
    left, top = source_x.floor(), source_y.floor()
    column_weights, row_weights = _cubic_weights(source_x - left), _cubic_weights(source_y - top)
    columns = [_mirrored(left.long() + offset, width) for offset in (-1, 0, 1, 2)]
    rows = [_mirrored(top.long() + offset, height) * width for offset in (-1, 0, 1, 2)]
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
    """All chance of one call, a row an image: which transforms are applied, and how far."""

    gates: Tensor
    uniforms: Tensor
    normals: Tensor

    @classmethod
    def draw(cls, count: int, device: torch.device, generator: torch.Generator | None) -> _Numbers:
        # The argument is left out, not None: a compiled function takes no generator at all.
        chosen: dict[str, Any] = {} if generator is None else {"generator": generator}
        return cls(
            torch.rand(_GATES, count, device=device, **chosen),
            torch.rand(_UNIFORMS, count, device=device, **chosen),
            torch.randn(_NORMALS, count, device=device, **chosen),
        )


def _inverse_transform(numbers: _Numbers, p: Tensor, height: int, width: int, strengths: Strengths) -> Tensor:
    """[N, 2, 3] for `resample`: the inverses, the first transform's leftmost."""
    gates, uniform, normal = numbers.gates, numbers.uniforms, numbers.normals
    one, zero = torch.ones_like(gates[0]), torch.zeros_like(gates[0])
    p_turn = 1 - (1 - p).clamp(min=0).sqrt()

    def shift(gate: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return _affine(one, zero, torch.where(gate, -x, zero), zero, one, torch.where(gate, -y, zero))

    def turned(gate: Tensor, number: Tensor) -> Tensor:
        angle = torch.where(gate, (2 * number - 1) * (math.pi * strengths.turn), zero)
        cosine, sine = angle.cos(), angle.sin()
        return _affine(cosine, sine, zero, -sine, cosine, zero)

    def scaled(gate: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return _affine(torch.where(gate, 1 / x, one), zero, zero, zero, torch.where(gate, 1 / y, one), zero)

    mirror = torch.where((gates[0] < p) & (uniform[0] < 0.5) & strengths.flip, -one, one)
    whole = [((2 * uniform[i] - 1) * strengths.integer_shift * side).round() for i, side in ((1, width), (2, height))]
    size, stretch = torch.exp2(normal[0] * strengths.scale), torch.exp2(normal[1] * strengths.scale)
    part = [normal[i] * strengths.fractional_shift * side for i, side in ((2, width), (3, height))]
    result = _affine(mirror, zero, zero, zero, one, zero)
    for step in (
        shift(gates[1] < p, *whole),
        scaled(gates[2] < p, size, size),
        turned(gates[3] < p_turn, uniform[3]),
        scaled(gates[4] < p, stretch, 1 / stretch),
        turned(gates[5] < p_turn, uniform[4]),
        shift(gates[6] < p, *part),
    ):
        result = _product(result, step)
    return result[:, :2]


def _recoloured(images: Tensor, numbers: _Numbers, p: Tensor, strengths: Strengths) -> Tensor:
    """Brightness, contrast and luma flip of [N, 3, H, W]."""
    gates, normal = numbers.gates, numbers.normals
    zero, one = torch.zeros_like(gates[0]), torch.ones_like(gates[0])
    added = torch.where(gates[7] < p, normal[4] * strengths.brightness, zero)
    factor = torch.where(gates[8] < p, torch.exp2(normal[5] * strengths.contrast), one)
    flipped = torch.where((gates[9] < p) & (numbers.uniforms[5] < 0.5) & strengths.luma_flip, 2 * one, zero)
    changed = (images + added[:, None, None, None]) * factor[:, None, None, None]
    # Reflection at the plane through 0 across the grey axis: the mean of the channels changes its sign.
    return changed - flipped[:, None, None, None] * changed.mean(dim=1, keepdim=True)


def _affine(xx: Tensor, xy: Tensor, x: Tensor, yx: Tensor, yy: Tensor, y: Tensor) -> Tensor:
    """[N, 3, 3] from columns of numbers [N]."""
    zero, one = torch.zeros_like(xx), torch.ones_like(xx)
    return torch.stack([xx, xy, x, yx, yy, y, zero, zero, one], dim=1).reshape(-1, 3, 3)


def _product(first: Tensor, second: Tensor) -> Tensor:
    """Matrix products of [N, 3, 3], in full float32."""
    return (first[:, :, :, None] * second[:, None]).sum(dim=2)


def _cubic_weights(t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights of the four neighbours at -1, 0, 1, 2 for a place t within [0, 1) after neighbour 0."""
    t2, t3 = t * t, t * t * t
    return (
        (-t3 + 2 * t2 - t) / 2,
        (3 * t3 - 5 * t2 + 2) / 2,
        (-3 * t3 + 4 * t2 + t) / 2,
        (t3 - t2) / 2,
    )


def _mirrored(index: Tensor, size: int) -> Tensor:
    """Indices brought within [0, size) by reflection at the first and the last pixel."""
    period = 2 * (size - 1)
    folded = index.remainder(period)
    return torch.minimum(folded, period - folded)


class AdaptiveProbability:
    """Moves the probability of augmentation so that the discriminator stays as sure of real images as it should be.

    The measure is E[sign D(real)] over a few steps, the paper's r_t: 0 without any overfitting, 1 with complete one.
    Nothing here waits for the device.

    Args:
        target: r_t to hold.
        images: Images within which p can go from 0 to 1 at the fastest.
        interval: Images between adjustments.
        maximum: Largest p.
        start: First p.
        device: Where `p` lies.

    Attributes:
        p: float32 scalar tensor, changed in place: a compiled function that takes it is not compiled again.

    Raises:
        UsageError: A number out of its range.
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
        """Move `p`, and what is counted, to where the discriminator is."""
        self.p, self._signs = self.p.to(device), self._signs.to(device)
        return self

    def observe(self, real_signs: Tensor, images: int) -> None:
        """Take the discriminator's answers to a step's real images, and adjust p when enough have come.

        Args:
            real_signs: Mean of `D(real).sign()` over the step, a scalar; with several processes the mean over all.
            images: Real images in the step, in all processes.
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
        """What a resumed training needs to go on as if it had not been interrupted."""
        return {"p": self.p.item(), "signs": self._signs.item(), "seen": float(self._seen)}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take back what `state_dict` gave."""
        self.p.fill_(state["p"])
        self._signs.fill_(state["signs"])
        self._seen = int(state["seen"])
