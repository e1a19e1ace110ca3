"""What a metric is learned from: a generator's pictures and changes of them. No photograph, no label.

Fitting and choosing share neither seeds nor kinds of change. The rule was fixed on generated pictures, before any
metric that it chose was tried on photographs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.data.changed_images import VERSION as CHANGES
from ghbench.data.changed_images import ChangedImages
from ghbench.data.renders import Renders
from ghbench.data.subset import Subset
from ghbench.dataset import Dataset
from ghbench.generators.first_party import FACES
from ghbench.metrics.learned_metric import Chosen, Kind, chosen_metric
from ghbench.seeds import seeds_for

VERSION = (1, CHANGES)
"""Another one when the rule changes: which pictures, which changes, how a metric is chosen."""
FITTED, CHANGED, CHOSEN = 2_000, 500, 300
"""Pictures that a metric is fitted on, of which so many are changed, and pictures that choose it."""
PSI = 0.8
FITTING_CHANGES = ("light", "position", "sensor", "mirror")
CHOOSING_CHANGES = ("occlusion", "warp")
SIDE = 128
"""Side of the pictures, at most; larger faces take the whole network, a second each."""

Encode = Callable[[Dataset], NDArray[np.floating[Any]]]
"""From images to their features [N, D]."""


def teacher(generator: str) -> str:
    """The spec string that draws the pictures: of faces the head of 128 px."""
    return f"{FACES}:size={SIDE}" if generator.partition(":")[0] == FACES else generator


def fitting_pictures(generator: str) -> Renders:
    """Pictures that a metric is fitted on."""
    return _pictures(generator, "metric-fitting", FITTED)


def choosing_pictures(generator: str) -> Renders:
    """Pictures that choose among metrics."""
    return _pictures(generator, "selection", CHOSEN)


def learned_from(kind: Kind, generator: str, encode: Encode) -> Chosen:
    """Learn a metric.

    Args:
        kind: `centred`, `whitened` or `within`.
        generator: Spec string of the generator.
        encode: The extractor.
    """
    pictures, others = fitting_pictures(generator), choosing_pictures(generator)
    half = np.arange(FITTED // 2)
    grey = ChangedImages(Subset(pictures, half + FITTED // 2), "grey")  # half of all, as some sets are grey
    learned = np.concatenate([encode(Subset(pictures, half)), encode(grey)])
    changes = np.empty((0, learned.shape[1]))
    if kind == "within":
        changed, before = Subset(pictures, np.arange(CHANGED)), learned[:CHANGED]
        changes = np.concatenate([encode(ChangedImages(changed, change)) - before for change in FITTING_CHANGES])
    judged = {change: encode(ChangedImages(others, change)) for change in CHOOSING_CHANGES}
    return chosen_metric(kind, learned, changes, encode(others), judged)


def _pictures(generator: str, purpose: str, count: int) -> Renders:
    from ghbench.generators.loading import generator_plugin

    side = min(generator_plugin(generator).spec().size, SIDE)
    return Renders(generator, count, seeds_for(purpose, count).start, psi=PSI, size=side)
