"""Refuse features that no honest number can be computed from, and name the extractor and the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.dataset import Dataset
from ghbench.errors import FeatureError
from ghbench.extraction.target import Rows
from ghbench.extractor import ExtractorSpec

_REPEAT_TOLERANCE = 1e-2
_RANK_ROWS = 512
_RANK_NEEDS = 64
_LOWEST_RANK = 2.0
_NEAR_DUPLICATE = 4.0
"""Largest `thumbnail_difference` of what a person calls the same image: another size, compression, a retouched spot."""
_SHOWN = 5
_DIGEST = 16


def check_batch(
    features: object, spec: ExtractorSpec, rows: Sequence[int], levels: Sequence[str] | None = None
) -> dict[str, NDArray[Any]]:
    """Check what `extract` returned for a batch.

    Args:
        features: What it returned.
        spec: What the extractor promised.
        rows: Dataset rows of the batch.
        levels: Names of the levels wanted; None: all that the spec promises.

    Returns:
        Arrays by level.

    Raises:
        FeatureError: A level is missing, or has a wrong shape, a wrong dtype, NaN or Inf.
    """
    if not isinstance(features, Mapping):
        raise FeatureError(f"extractor {spec.name!r} returned {type(features).__name__}; expected a dict by level")
    checked = {}
    for level in spec.levels:
        if levels is not None and level.name not in levels:
            continue
        if level.name not in features:
            raise FeatureError(f"extractor {spec.name!r} returned no level {level.name!r}, which its spec promises")
        array = np.asarray(features[level.name])
        if len(rows) == 1 and array.shape == (level.dim,):
            raise FeatureError(
                f"extractor {spec.name!r}, level {level.name!r}: the output of one image has lost its first axis; "
                f"shape {array.shape}, expected {(1, level.dim)}",
                fix="squeeze named axes only, for instance .squeeze((2, 3)) or .flatten(1)",
            )
        if array.shape != (len(rows), level.dim):
            raise FeatureError(
                f"extractor {spec.name!r}, level {level.name!r}: shape {array.shape} for rows {_span(rows)}; "
                f"expected {(len(rows), level.dim)}"
            )
        if not np.issubdtype(array.dtype, np.floating):
            raise FeatureError(f"extractor {spec.name!r}, level {level.name!r}: dtype {array.dtype}; expected floating")
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if len(bad):
            named = [rows[index] for index in bad.tolist()]
            raise FeatureError(f"extractor {spec.name!r}, level {level.name!r}: NaN or Inf, rows {_row_list(named)}")
        checked[level.name] = array
    return checked


def check_repeatable(
    first: Mapping[str, NDArray[Any]], again: Mapping[str, NDArray[Any]], extractor: str, rows: Sequence[int]
) -> None:
    """Refuse features that depend on chance, or on what else is in the batch.

    Args:
        first: Features [N, D] by level of some images.
        again: Features of the same images, encoded a second time in a batch of another size and order.
        extractor: Name for the message.
        rows: Dataset rows of the images.

    Raises:
        FeatureError: A feature differs by more than a hundredth of its level's largest value; half precision stays
            well below that.
    """
    for level, values in first.items():
        allowed = _REPEAT_TOLERANCE * float(np.abs(values).max(initial=0.0))
        bad = np.flatnonzero(np.abs(values - again[level]).max(axis=1, initial=0.0) > allowed)
        if len(bad):
            named = [rows[index] for index in bad.tolist()]
            raise FeatureError(
                f"extractor {extractor!r}, level {level!r}: rows {_row_list(named)} have other features when they are "
                "encoded again in another batch; expected features that depend on the image alone",
                fix="evaluation mode, fixed seeds, no statistics over the batch",
            )


def check_distinct(features: Rows, dataset: Dataset, extractor: str, level: str, dtype: str = "float32") -> list[str]:
    """Refuse identical features for different images: a sign of dead weights, or of images that were never read.

    Args:
        features: [N, D].
        dataset: The images; two of them are compared pixel by pixel only where their features are equal.
        extractor: Name for the message.
        level: Name for the message.
        dtype: How the features are stored.

    Returns:
        Warnings that name near-duplicate images with identical features, and equal images under two labels.

    Raises:
        FeatureError: Two clearly different images have the same features; the message names the rows.
    """
    identities, label = dataset.identities(), dataset.targets.get("label")
    near: list[tuple[int, int]] = []
    relabelled: list[tuple[int, int]] = []
    for earlier, row in _repeated(features):
        if identities[earlier] != identities[row]:
            left, right = dataset.image(earlier), dataset.image(row)
            if not np.array_equal(left, right):
                if thumbnail_difference(left, right) > _NEAR_DUPLICATE:
                    raise FeatureError(
                        f"extractor {extractor!r}, level {level!r}: rows {earlier} and {row} are different images with "
                        f"identical features: {dataset.ids[earlier]} and {dataset.ids[row]}",
                        fix="--dtype float32, which keeps more digits" if dtype != "float32" else None,
                    )
                near.append((earlier, row))
                continue
        if label is not None and label.values[earlier] != label.values[row]:
            relabelled.append((earlier, row))
    found = []
    if near:
        found.append(
            f"{extractor}, level {level}: near-duplicate images have identical features: {_pairs(near, dataset)}"
        )
    if relabelled:
        found.append(f"equal images have different labels: {_pairs(relabelled, dataset)}")
    return found


def _repeated(features: Rows) -> Iterator[tuple[int, int]]:
    """Rows whose features an earlier row has: the first that has them, and the row; in order of the latter.

    Of each row a digest of 16 bytes is in memory, sorted: a dictionary of ten million takes a gigabyte.
    """
    digests = np.fromiter(
        (hashlib.blake2b(values.tobytes(), digest_size=_DIGEST).digest() for values in features),
        np.dtype((np.bytes_, _DIGEST)), len(features),
    )  # fmt: skip
    order = np.argsort(digests, kind="stable")
    digests = digests[order]
    again = np.flatnonzero(digests[1:] == digests[:-1]) + 1
    rows, first = order[again], order[np.searchsorted(digests, digests[again])]
    for number in np.argsort(rows):
        yield int(first[number]), int(rows[number])


def thumbnail_difference(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    """Mean absolute difference of two images shrunk to 32 x 32, in grey levels of 255.

    Args:
        left: uint8 [H, W, 3].
        right: The same of any size.
    """
    from PIL import Image

    thumbnails = [np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BOX)) for image in (left, right)]
    return float(np.abs(thumbnails[0].astype(np.float64) - thumbnails[1]).mean())


def effective_rank(features: NDArray[Any]) -> float:
    """Exponential of the entropy of the normalised singular values of the centred features.

    Source: Roy and Vetterli, "The effective rank", EUSIPCO 2007, definition 1.

    Args:
        features: [N, D].

    Returns:
        Between 1 (all on a line, or constant) and min(N, D).
    """
    given = np.asarray(features, dtype=np.float64)
    centred = given - given.mean(axis=0)
    small = centred @ centred.T if centred.shape[0] <= centred.shape[1] else centred.T @ centred
    squared = np.linalg.eigvalsh(small)
    # Rounding has full rank: what lies below its size is none of the features', nor is what is left of equal rows.
    rounding = np.finfo(np.float64).eps * max(given.shape)
    squared[squared <= rounding * max(squared[-1], rounding * np.linalg.norm(given) ** 2)] = 0.0
    singular = np.sqrt(squared)
    if singular.sum() == 0:
        return 1.0
    share = singular / singular.sum()
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def rank_warning(features: Rows, extractor: str, level: str) -> str | None:
    """A warning where the features of many images lie on little more than a line, else None."""
    if len(features) < _RANK_NEEDS:
        return None
    # Evenly spread rows stand for all: a collapsed representation is collapsed everywhere.
    rows = np.unique(np.linspace(0, len(features) - 1, min(_RANK_ROWS, len(features))).astype(int))
    rank = effective_rank(features[rows])
    if rank >= _LOWEST_RANK:
        return None
    return f"{extractor}, level {level}: effective rank {rank:.2f} over {len(rows)} images; the features have collapsed"


def _pairs(rows: Sequence[tuple[int, int]], dataset: Dataset) -> str:
    shown = ", ".join(f"{dataset.ids[left]} and {dataset.ids[right]}" for left, right in rows[:_SHOWN])
    return shown if len(rows) <= _SHOWN else f"{shown}, {len(rows) - _SHOWN} more"


def _span(rows: Sequence[int]) -> str:
    return f"{rows[0]} to {rows[-1]}"


def _row_list(rows: Sequence[int]) -> str:
    shown = ", ".join(str(row) for row in rows[:8])
    return shown if len(rows) <= 8 else f"{shown} and {len(rows) - 8} more"
