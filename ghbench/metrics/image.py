"""How alike two images are, one number an image: squared error, PSNR and structural similarity."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError

Images = NDArray[np.floating[Any]]
"""[N, C, H, W], nominally in [-1, 1]."""
Floats = NDArray[np.float64]

DATA_RANGE = 2.0
"""Of images in [-1, 1]."""
SSIM_SIGMA = 1.5
SSIM_RADIUS = 5
"""Pixels on each side of the centre: an 11 x 11 window, and a border of 5 where the window would leave the image."""
_K1, _K2 = 0.01, 0.03
_AT_ONCE = 2**20  # numbers of a image stack that are filtered together, so that they stay in the cache


def mse(first: Images, second: Images) -> Floats:
    """Mean squared error of each image, over channels and pixels.

    Args:
        first: [N, C, H, W] in [-1, 1].
        second: The same shape.

    Returns:
        float64 [N], from 0 to 4.

    Raises:
        DataError: Shapes that differ.
    """
    _check(first, second)
    error: Floats = np.square(np.subtract(first, second, dtype=np.float64)).mean(axis=(1, 2, 3))
    return error


def psnr(first: Images, second: Images) -> Floats:
    """Peak signal-to-noise ratio of each image: 10 log10(2^2 / mse).

    Args:
        first: [N, C, H, W] in [-1, 1].
        second: The same shape.

    Returns:
        float64 [N] in dB; infinite where the images are equal.

    Raises:
        DataError: Shapes that differ.
    """
    return psnr_of_mse(mse(first, second))


def psnr_of_mse(error: Floats) -> Floats:
    """PSNR in dB of mean squared errors of images in [-1, 1], same shape; infinite where the error is 0."""
    with np.errstate(divide="ignore"):
        ratio: Floats = 10 * np.log10(DATA_RANGE**2 / np.asarray(error, dtype=np.float64))
    return ratio


def ssim(first: Images, second: Images) -> Floats:
    """Structural similarity of each image on (x + 1) / 2, mean over channels.

    Gaussian window of sigma 1.5 on 11 x 11 pixels, population covariance, K1 = 0.01, K2 = 0.03; the mean leaves out the
    border of 5 pixels where the window would leave the image. Source: Wang, Bovik, Sheikh and Simoncelli, "Image
    Quality Assessment: From Error Visibility to Structural Similarity", IEEE TIP 13 (2004), equation 13.

    Args:
        first: [N, C, H, W] in [-1, 1], at least 11 pixels high and wide.
        second: The same shape.

    Returns:
        float64 [N], from -1 to 1.

    Raises:
        DataError: Shapes that differ, or images smaller than the window.
    """
    _check(first, second)
    if min(first.shape[2:]) <= 2 * SSIM_RADIUS:
        raise DataError(f"images of {first.shape[2]} x {first.shape[3]} pixels; SSIM needs 11 x 11")
    step = max(1, _AT_ONCE // max(1, int(np.prod(first.shape[1:]))))
    parts = [_ssim(first[start : start + step], second[start : start + step]) for start in range(0, len(first), step)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _ssim(first: Images, second: Images) -> Floats:
    one, two = ((np.asarray(images, dtype=np.float64) + 1) / 2 for images in (first, second))
    mean_one, mean_two = _blurred(one), _blurred(two)
    product = mean_one * mean_two
    squares = mean_one**2 + mean_two**2
    variances = _blurred(one**2 + two**2) - squares
    covariance = _blurred(one * two) - product
    c1, c2 = _K1**2, _K2**2
    similarity = (2 * product + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))
    mean: Floats = similarity.mean(axis=(1, 2, 3))
    return mean


def _blurred(images: Floats) -> Floats:
    """Local means where the window lies inside the image: [N, C, H - 10, W - 10]."""
    from scipy.ndimage import correlate1d

    offsets = np.arange(-SSIM_RADIUS, SSIM_RADIUS + 1)
    window = np.exp(-(offsets**2) / (2 * SSIM_SIGMA**2))
    window /= window.sum()
    inside = slice(SSIM_RADIUS, -SSIM_RADIUS)
    rows = correlate1d(images, window, axis=2)[:, :, inside]
    blurred: Floats = correlate1d(rows, window, axis=3)[:, :, :, inside]
    return blurred


def _check(first: Images, second: Images) -> None:
    if first.ndim != 4 or first.shape != second.shape:
        raise DataError(f"images of shapes {first.shape} and {second.shape}; expected two equal [N, C, H, W]")
