"""How far generated images are from real ones, by the rules of the house.

A Frechet distance is reported from 5,000 images in both sets only, since its bias depends on their number; a kernel
distance, which has no bias, with its standard error. Beside each stands its floor: the distance between two sets of
real images. Every distance carries the name of the extractor whose features it is computed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.metrics.frechet import frechet_distance, kernel_distance_of_subsets

FEWEST_FOR_FD = 5_000
FEWEST_FOR_KID = 100
KID_BLOCKS = 10
KID_LARGEST_BLOCK = 1_000
"""Images in a block: the size at which kernel distances are customarily reported."""

Features = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A distance between two sets.

    Args:
        value: The distance.
        images: Images in the first and in the second set.
        standard_error: Of the value; None where there is no honest one.
    """

    value: float
    images: tuple[int, int]
    standard_error: float | None = None


@dataclass(frozen=True, slots=True)
class DistributionReport:
    """Distances by name, `fd[NAME]` and `kid[NAME]`.

    Args:
        distances: Real against generated.
        floors: Real against other real images, under the same names.
        left_out: Why a distance or a floor is not there; floors are called `floor of fd[NAME]`.
    """

    distances: Mapping[str, Estimate]
    floors: Mapping[str, Estimate]
    left_out: Mapping[str, str]

    def flat(self) -> dict[str, float]:
        """All numbers for a log: `fd[NAME]`, `fd[NAME].floor`, `kid[NAME]`, `kid[NAME].error`, `kid[NAME].floor` ...

        A distance without its floor cannot be read and is not among them.
        """
        numbers: dict[str, float] = {}
        for name in self.distances.keys() & self.floors.keys():
            for key, estimate in ((name, self.distances[name]), (f"{name}.floor", self.floors[name])):
                numbers[key] = estimate.value
                if estimate.standard_error is not None:
                    numbers[f"{key}.error"] = estimate.standard_error
        return dict(sorted(numbers.items()))


def distribution_report(
    name: str, real: Features, other_real: Features, generated: Features, *, seed: int = 0
) -> DistributionReport:
    """Compare generated with real images, and real images with each other.

    Args:
        name: Name of the extractor's spec.
        real: [N, D] features of the reference, for instance of the training images.
        other_real: [M, D] features of other real images, for instance of the test split or of the other half.
        generated: [K, D] features.
        seed: Of the order in which images are divided into blocks; files are often sorted by class.

    Returns:
        Distances, floors, and what was left out for which reason.

    Raises:
        DataError: Widths that differ.
    """
    streams = np.random.default_rng(seed).spawn(3)
    real, other_real, generated = (
        features[stream.permutation(len(features))]
        for stream, features in zip(streams, (real, other_real, generated), strict=True)
    )
    # Of equally many: the bias of a Frechet distance is then the same beside its floor.
    other_real = other_real[: len(generated)]
    equal = len(other_real) if len(other_real) >= FEWEST_FOR_FD else len(generated)
    distances: dict[str, Estimate] = {}
    floors: dict[str, Estimate] = {}
    left_out: dict[str, str] = {}
    for table, prefix, second in ((distances, "", generated), (floors, "floor of ", other_real)):
        counts = (len(real), len(second))
        for metric, fewest in ((f"fd[{name}]", FEWEST_FOR_FD), (f"kid[{name}]", FEWEST_FOR_KID)):
            if min(counts) < fewest:
                left_out[prefix + metric] = f"{counts[0]} and {counts[1]} images; it needs {fewest:,} in both sets"
            elif metric.startswith("fd"):
                table[metric] = Estimate(frechet_distance(real, second[:equal]), (len(real), equal))
            else:
                table[metric] = kernel_estimate(real, second)
    return DistributionReport(distances, floors, left_out)


def kernel_estimate(first: Features, second: Features) -> Estimate:
    """Mean kernel distance over disjoint blocks of images, with its standard error.

    The blocks are independent, so that the error is honest whether or not the sets differ; random subsets, which
    overlap, would make it too small. Source: Zaremba, Gretton and Blaschko, "B-tests: Low Variance Kernel Two-Sample
    Tests", NeurIPS 2013.

    Args:
        first: [N, D] features in random order, N at least 20.
        second: [M, D] features in random order, M at least 20.

    Returns:
        Mean over at least 10 blocks of at most 1,000 images; `images` counts those in the blocks.
    """
    count = min(len(first), len(second))
    size = min(KID_LARGEST_BLOCK, count // KID_BLOCKS)
    blocks = np.arange(count // size * size).reshape(-1, size)
    values = kernel_distance_of_subsets(first, second, np.stack([blocks, blocks], axis=1))
    error = values.std(ddof=1) / np.sqrt(len(values))
    return Estimate(float(values.mean()), (blocks.size, blocks.size), float(error))
