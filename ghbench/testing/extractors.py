"""Does an extractor keep the contract of `ghbench.extractor`?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import UsageError
from ghbench.extractor import Decoder, Encoder, Extractor, ExtractorSpec, Navigator
from ghbench.imaging import alignment, resize_step
from ghbench.testing.images import pictures
from ghbench.testing.violation import ConformanceError, demand, demand_texts, is_digest, pickled

TOLERANCE = 1e-3
"""Largest difference between two extractions of one image, relative to the largest absolute value of its level.

Libraries sum in another order when the batch has another size; in float32 that costs about 1e-6 a layer. A wrong row,
or a network left in training mode, costs about 1.
"""


def check_extractor(extractor: Extractor, images: NDArray[np.uint8] | None = None) -> ExtractorSpec:
    """Check an extractor against the contract; nothing is said about how good it is.

    The spec is complete, immutable and does not change; the preprocessing that it names exists. Before its first use an
    extractor can be pickled. For encoders: levels and dimensions are the declared ones, features are finite floats, the
    same every time, of black, white and grey images too, independent of the order of the images, of the batch size and
    of what another thread extracts meanwhile, and the input is left as it was.

    Args:
        extractor: What to check.
        images: uint8 [N, 3, H, W] of the declared size, N at least 8; None for made-up ones.

    Returns:
        The extractor's spec.

    Raises:
        ConformanceError: The sentence of the contract that does not hold.
    """
    demand(isinstance(extractor, Extractor), f"{type(extractor).__name__} has no method spec()")
    spec = extractor.spec()
    _check_spec(spec)
    demand(
        isinstance(extractor, Encoder | Decoder | Navigator),
        f"{spec.name} has none of the abilities extract(images), decode(features), directions(codes)",
    )
    demand(pickled(extractor, spec.name).spec() == spec, f"{spec.name}: pickled, it has another spec")  # type: ignore[attr-defined]
    if isinstance(extractor, Encoder):
        images = pictures(spec.preprocessing.size) if images is None else images
        demand(
            len(images) >= 8 and images.shape[1:] == (3, *spec.preprocessing.size) and images.dtype == np.uint8,
            f"images must be uint8 [8 or more, 3, {spec.preprocessing.size[0]}, {spec.preprocessing.size[1]}]",
        )
        _check_encoder(extractor, spec, images[:8])
    demand(extractor.spec() == spec, f"{spec.name}: spec() says something else after use than before")
    return spec


def _check_spec(spec: object) -> None:
    demand(isinstance(spec, ExtractorSpec), f"spec() returns {type(spec).__name__}, not ghbench's ExtractorSpec")
    assert isinstance(spec, ExtractorSpec)
    demand_texts("spec()", spec, ("name", "version", "weights_digest", "licence", "backend"))
    demand(is_digest(spec.weights_digest), f"{spec.name}: weights_digest is no hexadecimal sha256")
    names = [level.name for level in spec.levels]
    demand(names and len(set(names)) == len(names), f"{spec.name}: levels must be named, each once, got {names}")
    demand(all(level.dim >= 1 for level in spec.levels), f"{spec.name}: every level needs a dimension of at least 1")
    unknown = set(spec.default_levels) - set(names)
    demand(
        spec.default_levels and not unknown, f"{spec.name}: default_levels must name levels, got {unknown or 'none'}"
    )
    wrong = {name: levels for name, levels in spec.aliases.items() if name in names or not set(levels) <= set(names)}
    demand(not wrong, f"{spec.name}: an alias is no level's name and stands for levels, got {wrong}")
    demand(spec.similarity in {"cosine", "l2"}, f"{spec.name}: similarity {spec.similarity!r} is not cosine or l2")
    size = spec.preprocessing.size
    demand(len(size) == 2 and min(size) >= 1, f"{spec.name}: preprocessing.size {size} is not (height, width)")
    try:
        resize_step(spec.preprocessing.resize)
        alignment(spec.preprocessing.align)
    except UsageError as error:
        raise ConformanceError(f"{spec.name}: preprocessing: {error.message}") from error
    for level, mean in (spec.mean or {}).items():
        demand(level in names, f"{spec.name}: there is a mean for {level!r}, which is no level")
        demand(
            mean.shape == (spec.dim(level),) and np.isfinite(mean).all(),
            f"{spec.name}: the mean of {level!r} must be {spec.dim(level)} finite numbers",
        )
    try:
        spec.name = spec.name  # type: ignore[misc]
    except dataclasses.FrozenInstanceError:
        return
    raise ConformanceError(f"{spec.name}: the spec can be changed; ExtractorSpec must stay frozen")


def _check_encoder(extractor: Encoder, spec: ExtractorSpec, images: NDArray[np.uint8]) -> None:
    given = images.copy()
    whole = _extracted(extractor, spec, given)
    demand(np.array_equal(given, images), f"{spec.name}: extract() changed its input")
    untouched = {level: value.copy() for level, value in whole.items()}
    for level, value in untouched.items():
        different = len(np.unique(value, axis=0)) > 1
        demand(different, f"{spec.name}, level {level}: different images have the same features, which no run accepts")
    _demand_close(spec, whole, _extracted(extractor, spec, given), "the same images give other features the next time")
    order = np.array([5, 2, 7, 0, 3, 6, 1, 4])
    shuffled = _extracted(extractor, spec, np.ascontiguousarray(images[order]))
    expected = {level: value[order] for level, value in untouched.items()}
    _demand_close(spec, expected, shuffled, "rows do not follow the order of the images")
    for batch in (1, 3):
        parts = [_extracted(extractor, spec, images[start : start + batch]) for start in range(0, len(images), batch)]
        joined = {level: np.concatenate([part[level] for part in parts]) for level in untouched}
        _demand_close(spec, untouched, joined, f"features depend on the batch size ({batch} against {len(images)})")
    _demand_close(spec, untouched, whole, "a later extract() overwrote the arrays of an earlier one")
    with ThreadPoolExecutor(2) as threads:
        halves = list(threads.map(lambda part: _extracted(extractor, spec, part), (images[:4], images[4:])))
    joined = {level: np.concatenate([half[level] for half in halves]) for level in untouched}
    _demand_close(spec, untouched, joined, "features change while another thread extracts")
    plain = np.stack([np.full_like(images[0], value) for value in (0, 128, 255)])
    _extracted(extractor, spec, plain)


def _extracted(extractor: Encoder, spec: ExtractorSpec, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    features = extractor.extract(images)
    demand(isinstance(features, Mapping), f"{spec.name}: extract() returns {type(features).__name__}, not a mapping")
    declared = {level.name for level in spec.levels}
    demand(set(features) == declared, f"{spec.name}: extract() gives levels {set(features)}, declared are {declared}")
    for level in spec.levels:
        value = features[level.name]
        where = f"{spec.name}, level {level.name}"
        demand(isinstance(value, np.ndarray), f"{where}: extract() gives {type(value).__name__}, not a NumPy array")
        demand(np.issubdtype(value.dtype, np.floating), f"{where}: dtype {value.dtype} is no floating type")
        expected = (len(images), level.dim)
        demand(value.shape == expected, f"{where}: shape {value.shape}, expected {expected}")
        demand(np.isfinite(value).all(), f"{where}: NaN or Inf among the features")
    return dict(features)


def _demand_close(
    spec: ExtractorSpec, expected: Mapping[str, NDArray[Any]], actual: Mapping[str, NDArray[Any]], sentence: str
) -> None:
    for level, value in expected.items():
        scale = max(float(np.abs(value).max()), float(np.finfo(np.float32).tiny))
        difference = float(np.abs(value.astype(np.float64) - actual[level]).max()) / scale
        demand(
            difference <= TOLERANCE,
            f"{spec.name}, level {level}: {sentence} (relative difference {difference:.2g}, allowed {TOLERANCE:g})",
        )
