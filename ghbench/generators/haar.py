"""One level of the orthonormal two-dimensional Haar transform, MobileStyleGAN's upsampling."""

from __future__ import annotations

import torch
from torch import Tensor


def haar_synthesis(bands: Tensor) -> Tensor:
    """Combine four wavelet bands into features of twice the size.

    Source: Belousov, "MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis",
    2021 (the inverse transform is its upsampling).

    Args:
        bands: [N, 4C, H, W]: C channels of averages, of differences between rows, between columns, and of both.

    Returns:
        [N, C, 2H, 2W], in channels_last layout, which suits the depthwise convolutions that follow.
    """
    count, channels, height, width = bands.shape
    low, rows, columns, both = bands.permute(0, 2, 3, 1).chunk(4, dim=3)
    even, odd = low + rows, low - rows
    across, crossed = columns + both, columns - both
    pixels = torch.stack(
        [torch.stack([even + across, even - across], dim=3), torch.stack([odd + crossed, odd - crossed], dim=3)], dim=2
    )
    return (pixels * 0.5).reshape(count, 2 * height, 2 * width, channels // 4).permute(0, 3, 1, 2)


def haar_analysis(pixels: Tensor) -> Tensor:
    """Split features into wavelet bands of half the size, the inverse of `haar_synthesis`.

    Args:
        pixels: [N, C, 2H, 2W].

    Returns:
        [N, 4C, H, W], bands in the order of `haar_synthesis`.
    """
    top_left, top_right = pixels[..., ::2, ::2], pixels[..., ::2, 1::2]
    bottom_left, bottom_right = pixels[..., 1::2, ::2], pixels[..., 1::2, 1::2]
    top, bottom = top_left + top_right, bottom_left + bottom_right
    top_step, bottom_step = top_left - top_right, bottom_left - bottom_right
    bands = [top + bottom, top - bottom, top_step + bottom_step, top_step - bottom_step]
    return torch.cat(bands, dim=1) * 0.5
