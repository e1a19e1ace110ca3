"""Small made-up pictures for contract checks; no number measured on them says anything about quality."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pictures(size: tuple[int, int], count: int = 8, seed: int = 0) -> NDArray[np.uint8]:
    """Make pictures with structure: a coloured gradient, a disc and a little grain; the first one is grey.

    Args:
        size: Height and width in pixels.
        count: How many.
        seed: Seed.

    Returns:
        uint8 [count, 3, H, W], no two alike.
    """
    rng = np.random.default_rng(seed)
    height, width = size
    down, across = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    made = []
    for _ in range(count):
        slope = rng.uniform(-60, 60, (2, 3, 1, 1))
        colour, disc = rng.uniform(60, 190, (2, 3, 1, 1))
        x, y, radius = rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5), rng.uniform(0.2, 0.6)
        inside = (across - x) ** 2 + (down - y) ** 2 < radius**2
        picture = np.where(inside, disc, colour) + slope[0] * down + slope[1] * across
        made.append(picture + rng.normal(0, 4, picture.shape))
    batch = np.stack(made).clip(0, 255).round().astype(np.uint8)
    batch[:1] = batch[:1, :1]
    return batch
