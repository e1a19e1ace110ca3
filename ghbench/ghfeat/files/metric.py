"""The metric of an encoder's codes in its file: mean and matrix of each level, and of all levels beside one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError, UsageError
from ghbench.extractor import LearnedMetric, OwnMetric
from ghbench.ghfeat.network.layout import CodeLayout
from ghbench.metrics.learned_metric import Kind
from ghbench.spec_string import parse_recorded

METRIC = "metric"
"""What its arrays are filed under."""
ALL = "all"


def metric_arrays(metric: OwnMetric, layout: CodeLayout) -> dict[str, NDArray[Any]]:
    """Arrays by name, as a file keeps them."""
    together = _together(layout)
    found: dict[str, NDArray[Any]] = {}
    for levels, one in metric.metrics.items():
        name = ALL if levels == together else levels
        found[f"{METRIC}/{name}/mean"] = one.mean
        if one.matrix is not None:
            found[f"{METRIC}/{name}/matrix"] = one.matrix
    return found


def read_metric(tensors: Mapping[str, NDArray[Any]], about: Mapping[str, Any], layout: CodeLayout) -> OwnMetric | None:
    """The metric of a file; None if it has none.

    Args:
        tensors: The file's arrays by name.
        about: What the file says about itself; `metric` names kind and generator.
        layout: Layout of the codes.

    Raises:
        DataError: An unknown kind, or arrays that do not fit the codes or are not finite.
    """
    stated = about.get(METRIC)
    if not isinstance(stated, Mapping):
        return None
    kind, generator = stated.get("kind"), str(stated.get("generator"))
    if kind not in get_args(Kind):
        raise DataError(f"the metric is of an unknown kind, {kind!r}", fix="get the weights again")
    try:
        parse_recorded(generator)
    except UsageError:  # a module or a path: whoever wants more from it names it
        generator = ""
    widths = {level.name: level.width for level in layout.levels} | {ALL: layout.width}
    found = {}
    for name, width in widths.items():
        mean, matrix = (tensors.get(f"{METRIC}/{name}/{part}") for part in ("mean", "matrix"))
        if mean is None:
            continue
        fits = mean.shape == (width,) and (matrix is None or (matrix.ndim == 2 and matrix.shape[0] == width))
        arrays = [mean] if matrix is None else [mean, matrix]
        if not fits or not all(array.dtype.kind == "f" and np.isfinite(array).all() for array in arrays):
            raise DataError(f"the metric of {name} does not fit its {width} numbers", fix="get the weights again")
        levels = _together(layout) if name == ALL else name
        if matrix is not None and matrix.dtype != np.float16:
            matrix = matrix.astype(np.float32)
        found[levels] = LearnedMetric(mean.astype(np.float32), matrix)
    return OwnMetric(str(kind), generator, found) if found else None


def _together(layout: CodeLayout) -> str:
    return "+".join(level.name for level in layout.levels)
