"""The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn ships."""

from __future__ import annotations

import numpy as np

from ghbench.data.grey_images import GreyImages
from ghbench.dataset import DatasetCard
from ghbench.errors import DataError

COUNT, SIDE, LEVELS = 1_797, 8, 16

CARD = DatasetCard(
    name="digits",
    title="Handwritten digits of 8 x 8 pixels",
    licence="CC BY 4.0 (UCI Machine Learning Repository)",
    citation="E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998",
    source="scikit-learn's copy of the repository's test part; it does not say who wrote which, so there is no split",
)


class Digits(GreyImages):
    """Digits in scikit-learn's order, without splits; the 17 grey levels are spread over 0 to 255.

    Ids are `0000` to `1796`.

    Raises:
        DataError: This version of scikit-learn ships other images.
    """

    def __init__(self) -> None:
        from sklearn.datasets import load_digits

        found = load_digits()
        levels = found.images
        if levels.shape != (COUNT, SIDE, SIDE) or levels.min() < 0 or levels.max() > LEVELS:
            raise DataError(f"scikit-learn's digits are {levels.shape}; expected ({COUNT}, {SIDE}, {SIDE})")
        super().__init__(
            CARD,
            [f"{row:04d}" for row in range(COUNT)],
            np.round(levels * 255 / LEVELS).astype(np.uint8),
            found.target,
            [str(digit) for digit in range(10)],
            {},
        )
