"""JPEG compression of batches in torch: what a file loses, without a file (ITU-T T.81)."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 8
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Quantisation of luminance at quality 50 (T.81, table K.1)."""
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8 for _ in range(4)),
)
"""Quantisation of chrominance at quality 50 (T.81, table K.2)."""
LUMA = (0.299, 0.587, 0.114)
"""Share of red, green and blue in luminance (ITU-R BT.601)."""
TO_YCC = (LUMA, (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
"""From RGB to luminance and the two chrominances without their offset of 128 (JFIF 1.02)."""


@torch.no_grad()
def compress(images: Tensor, quality: Tensor) -> Tensor:
    """Images as they come back from JPEG files with halved chrominance, as common encoders write them.

    Args:
        images: float [N, 3, H, W] in [-1, 1].
        quality: [N], the usual number from 1 to 100.

    Returns:
        float32 [N, 3, H, W] in [-1, 1], at levels of 8 bits.
    """
    height, width = images.shape[2:]
    down, along = -height % (2 * BLOCK), -width % (2 * BLOCK)
    pixels = ((images.float().clamp(-1, 1) + 1) * 127.5).round()
    pixels = functional.pad(pixels, (0, along, 0, down), mode="replicate")
    turn = torch.tensor(TO_YCC, device=images.device)
    ycc = torch.einsum("ij,njhw->nihw", turn, pixels).round()
    luma = _quantised(ycc[:, :1] - 128, _table(LUMINANCE, quality)) + 128
    chroma = _quantised(functional.avg_pool2d(ycc[:, 1:], 2).round(), _table(CHROMINANCE, quality))
    chroma = functional.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    found = torch.einsum("ij,njhw->nihw", torch.linalg.inv(turn), torch.cat([luma, chroma], dim=1))
    return found[:, :, :height, :width].round().clamp(0, 255) / 127.5 - 1


def _table(base: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    """Steps [N, 1, 1, 1, 8, 8] of images of these qualities, by the rule of the Independent JPEG Group."""
    quality = quality.float().clamp(1, 100)
    scale = torch.where(quality < 50, torch.floor(5000 / quality), 200 - 2 * quality)[:, None, None]
    steps = torch.floor((torch.tensor(base, device=quality.device) * scale + 50) / 100).clamp(1, 255)
    return steps[:, None, None, None]


def _quantised(planes: Tensor, steps: Tensor) -> Tensor:
    """Planes [N, C, H, W] with the coefficients of their 8 x 8 blocks rounded to multiples of the steps."""
    count, channels, height, width = planes.shape
    basis = _cosines().to(planes)
    blocks = planes.reshape(count, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(3, 4)
    coefficients = torch.round(basis @ blocks @ basis.T / steps) * steps
    restored = (basis.T @ coefficients @ basis).round().clamp(-128, 127)
    return restored.transpose(3, 4).reshape(planes.shape)


@cache
def _cosines() -> Tensor:
    """The orthonormal cosine basis [8, 8], one frequency a row (T.81, A.3.3)."""
    rows = [
        [math.sqrt((1 if k == 0 else 2) / BLOCK) * math.cos((2 * n + 1) * k * math.pi / (2 * BLOCK)) for n in range(8)]
        for k in range(8)
    ]
    return torch.tensor(rows)
