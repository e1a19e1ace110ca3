"""How far two sets of images are from each other on an extractor's features, with intervals and a floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.analysis.sources import EncodedImages, concatenate_levels, encode, load_images
from ghbench.data.subset import first_rows
from ghbench.dataset import Dataset
from ghbench.errors import UsageError
from ghbench.imaging import RESIZES
from ghbench.metrics import frechet, precision_recall
from ghbench.metrics.distribution_report import KID_LARGEST_BLOCK
from ghbench.metrics.jackknife import jackknife_error, t_interval, unit_groups
from ghbench.running.options import RunOptions

Floats = NDArray[np.float64]
Two = tuple[Floats, Floats]
"""Features of the set that is judged and of the reference, [N, D] and [M, D]."""
METRICS = ("fid", "kid", "prdc")
"""Names of the distances on any extractor's features; FID and KID only in name unless it is Inception."""
GROUPS = 10
"""Groups of each set that are left out in turn."""
SUBSETS = 100


@dataclass(frozen=True, slots=True)
class Distance:
    """One number.

    Args:
        metric: `fd[NAME]`, `kid[NAME]`, `precision[NAME]`, ..., NAME being the extractor's.
        value: The value.
        low: Lower end of the 95 % interval, NaN where there is none.
        high: Upper end.
        floor: The same between two halves of the second set; NaN where a half is too small.
        what: Which estimator, in a few words.
    """

    metric: str
    value: float
    low: float
    high: float
    floor: float
    what: str


@dataclass(frozen=True, slots=True)
class Distances:
    """Two sets of images.

    Args:
        first: Name of the set that is judged.
        second: Name of the reference.
        images: Images of both.
        floor_images: Images of the two halves of the second set.
        extractor: Spec string of the extractor.
        numbers: Width of its features.
        preprocessing: Alignment, resize rule, filter and size.
        notes: What a reader should know.
        rows: The numbers.
    """

    first: str
    second: str
    images: tuple[int, int]
    floor_images: tuple[int, int]
    extractor: str
    numbers: int
    preprocessing: str
    notes: tuple[str, ...]
    rows: tuple[Distance, ...]


def measure_distances(
    first: str | Dataset,
    second: str | Dataset,
    extractor: str,
    metrics: Sequence[str] = METRICS,
    *,
    infinity: bool = False,
    options: RunOptions | None = None,
) -> Distances:
    """Compare a set of images with a reference.

    Args:
        first: What is judged: a folder, a dataset, or a generator, which then draws as many images as the reference
            has, from the seeds for tests.
        second: The reference; of a generator, 1,000 images from the seeds for metric fitting.
        extractor: Spec string; several levels are concatenated.
        metrics: Names in `METRICS`.
        infinity: Whether to extrapolate the Frechet distance to infinitely many images.
        options: Alignment, limit, seed, dtype, extraction and store are used.

    Returns:
        Values with 95 % intervals by a jackknife over groups of images of both sets, and floors.

    Raises:
        UsageError: No such metric, or nothing of that name.
        DataError: Too few images.
    """
    options = options or RunOptions()
    unknown = [metric for metric in metrics if metric not in METRICS]
    if unknown or not metrics:
        raise UsageError(f"there is no metric {', '.join(unknown) or ''!r}; choose among {', '.join(METRICS)}")
    if infinity and "fid" not in metrics:
        raise UsageError("only the Frechet distance is extrapolated", fix="add fid, or leave --infinity out")
    reference = load_images(second, "metric-fitting", options.limit or 1_000) if isinstance(second, str) else second
    reference = reference if options.limit is None else first_rows(reference, options.limit)
    judged = load_images(first, "test", len(reference)) if isinstance(first, str) else first
    judged = judged if options.limit is None else first_rows(judged, options.limit)
    names = [one if isinstance(one, str) else one.card().name for one in (first, second)]
    encoded = [encode(extractor, dataset, options) for dataset in (judged, reference)]
    features: Two = (concatenate_levels(encoded[0]), concatenate_levels(encoded[1]))
    half = np.random.default_rng(options.seed).permutation(len(reference)) < len(reference) // 2
    floors: Two = (features[1][half], features[1][~half])
    rows: list[Distance] = []
    for done, metric in enumerate(dict.fromkeys(metrics)):
        options.extraction.progress(done, len(metrics), "distances")
        rows += _MEASURES[metric](encoded[0].spec.name, features, floors, options.seed)
    if infinity:
        rows.append(_at_infinity(encoded[0].spec.name, features, floors, options.seed))
    options.extraction.progress(len(metrics), len(metrics), "distances")
    return Distances(
        names[0],
        names[1],
        (len(judged), len(reference)),
        (len(floors[0]), len(floors[1])),
        encoded[0].name,
        features[0].shape[1],
        preprocessing_text(encoded[0]),
        tuple(_notes((judged, reference), features, metrics)),
        tuple(rows),
    )


def preprocessing_text(encoded: EncodedImages) -> str:
    """Alignment, resize rule with its filter, and size: `align none, crop-bilinear (antialiased) to 224 x 224`."""
    steps = encoded.spec.preprocessing
    known = RESIZES.get(steps.resize)
    rule = steps.resize
    if known is not None:
        cut = "centred crop" if known.crops else "whole image squashed"
        rule = f"{steps.resize} version {known.version} ({cut}, Pillow's antialiased {known.filter.name.lower()})"
    return f"align {encoded.align}, {rule} to {steps.size[0]} x {steps.size[1]} px"


def _frechet(name: str, features: Two, floors: Two, seed: int) -> list[Distance]:
    groups = _groups(features, seed)
    without = frechet.frechet_replicates(features[0], features[1], *groups)
    value = frechet.frechet_distance(*features)
    floor = frechet.frechet_distance(*floors) if min(map(len, floors)) > 1 else np.nan
    what = "Frechet distance; grows with fewer images"
    return [_distance(f"fd[{name}]", value, without, floor, what, (0, np.inf))]


def _at_infinity(name: str, features: Two, floors: Two, seed: int) -> Distance:
    value, floor = (
        frechet.frechet_distance_at_infinity(first, second, np.random.default_rng(seed))
        for first, second in (features, floors)
    )
    what = f"line in 1 / n through {frechet.INFINITY_SIZES} sizes from a quarter of the images on"
    return Distance(f"fd-infinity[{name}]", value, np.nan, np.nan, floor, what)


def _kernel(name: str, features: Two, floors: Two, seed: int) -> list[Distance]:
    without = frechet.kernel_replicates(features[0], features[1], *_groups(features, seed))
    floor = frechet.kernel_distance(floors[0], floors[1]) if min(map(len, floors)) > 1 else np.nan
    exact = _distance(
        f"kid[{name}]",
        frechet.kernel_distance(features[0], features[1]),
        without,
        floor,
        "unbiased estimator over all images",
    )
    size = KID_LARGEST_BLOCK
    if min(map(len, features)) <= size:  # a subset would be the whole set
        return [exact]
    rng = np.random.default_rng(seed)
    chosen = [[rng.choice(len(part), size, replace=False) for part in features] for _ in range(SUBSETS)]
    values = frechet.kernel_distance_of_subsets(features[0], features[1], np.array(chosen))
    what = f"mean of {SUBSETS} subsets of {size:,}, whose standard deviation is {values.std():.3g}"
    return [exact, Distance(f"kid-subsets[{name}]", float(values.mean()), np.nan, np.nan, np.nan, what)]


def _neighbourhoods(name: str, features: Two, floors: Two, seed: int) -> list[Distance]:
    judged_groups, reference_groups = _groups(features, seed)
    values, without_reference, without_judged = precision_recall.precision_recall_replicates(
        features[1], features[0], reference_groups, judged_groups
    )
    floor: dict[str, float] = dict.fromkeys(precision_recall.NAMES, np.nan)
    if min(map(len, floors)) > precision_recall.DENSE:
        floor = precision_recall.precision_recall(floors[1], floors[0])
    found = []
    for index, metric in enumerate(precision_recall.NAMES):
        k = precision_recall.NEAREST if index < 2 else precision_recall.DENSE
        without = without_judged[:, index], without_reference[:, index]
        what, bounds = f"{k} nearest neighbours", (0, np.inf if metric == "density" else 1)
        found.append(_distance(f"{metric}[{name}]", float(values[index]), without, floor[metric], what, bounds))
    return found


_MEASURES: dict[str, Callable[[str, Two, Two, int], list[Distance]]] = {
    "fid": _frechet,
    "kid": _kernel,
    "prdc": _neighbourhoods,
}


def _groups(features: Two, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first, second = (unit_groups(np.arange(len(part)), GROUPS, seed + side) for side, part in enumerate(features))
    return first, second


def _distance(
    metric: str,
    value: float,
    without: Sequence[Floats],
    floor: float,
    what: str,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Distance:
    ends = t_interval(value, float(jackknife_error(*without)), min(map(len, without)))
    low, high = np.clip(ends, *bounds)
    return Distance(metric, value, float(low), float(high), floor, what)


def _notes(datasets: Sequence[Dataset], features: Two, metrics: Sequence[str]) -> list[str]:
    notes = []
    fewest, width = min(map(len, features)), features[0].shape[1]
    if "fid" in metrics and fewest <= width:
        notes.append(
            f"{fewest:,} images for {width:,} numbers: the covariance has no full rank, "
            "so the Frechet distance says more of the number of images than of the images"
        )
    judged, reference = (set(dataset.identities()) for dataset in datasets)
    shared = len(judged & reference)
    if shared:
        notes.append(f"{shared:,} images are in both sets, which makes them look closer than they are")
    for dataset in datasets:
        purpose: Any = getattr(dataset, "purpose", None)
        if purpose not in {None, "test", "metric-fitting"}:
            notes.append(f"seeds for {purpose} were drawn; distances are reported from those for tests")
    return notes
