"""How light a picture is, and from which side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BT709 = (0.2126, 0.7152, 0.0722)
"""Shares of linear red, green and blue in luminance (ITU-R BT.709-6, section 3.2)."""


def linear_light(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Linear light in [0, 1] of sRGB values (IEC 61966-2-1)."""
    value = image.astype(np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def light_of(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean luminance of the central half of an image, and its asymmetry (left - right) / (left + right).

    Args:
        image: uint8 [3, H, W], RGB.

    Returns:
        float64 [2]; an asymmetry of 0 for a black image.
    """
    _, height, width = image.shape
    box = image[:, height // 4 : height - height // 4, width // 4 : width - width // 4]
    light = np.tensordot(np.array(BT709), linear_light(box), axes=1)
    half = light.shape[1] // 2
    left, right = light[:, :half].mean(), light[:, -half:].mean()
    return np.array([light.mean(), (left - right) / (left + right) if left + right else 0.0])
