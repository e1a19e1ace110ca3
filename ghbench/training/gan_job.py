"""From what a user writes to a StyleGAN in training: options by name, data by spec string."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ghbench import registry
from ghbench.dataset import Dataset
from ghbench.training.gan import GanOptions, GanRecipe, Model
from ghbench.training.images import InMemory, TrainingImages
from ghbench.training.quality import GeneratorQuality
from ghbench.training.settings import parse_settings

MEASURED, BRIEFLY_MEASURED = 5_000, 200
WORTHWHILE = 50_000
"""Images of a run from which on it is measured in full."""


def gan_recipe(
    model: Model,
    data: str,
    size: int,
    total: int,
    settings: Sequence[str] = (),
    *,
    quality: str | None = None,
    seed: int = 0,
    cache: Path | None = None,
) -> GanRecipe:
    """A StyleGAN ready to train.

    Args:
        model: `stylegan2` or `stylegan1`.
        data: Spec string of a dataset; its split `train`, or all of it where it has no splits.
        size: Side of the pictures.
        total: Images of the whole run. Runs too short to be good are measured on fewer pictures, which takes seconds
            instead of minutes and gives no Frechet distance.
        settings: `name=value` for fields of `GanOptions`.
        quality: Spec string of the extractor by which generated and real pictures are compared; None for none.
        seed: Seed of weights and chance.
        cache: Folder for the features of real pictures.

    Raises:
        UsageError: An option or a value that is not known.
    """
    dataset = cast("Dataset", registry.build("dataset", data))
    images = TrainingImages(dataset, size)
    fields = {"model": model, "size": size, "colours": 1 if _is_grey(dataset) else 3}
    options = GanOptions(**{**fields, **parse_settings(GanOptions, settings, taken=("model", "size"))})
    measured = None
    if quality is not None:
        other = TrainingImages(dataset, size, split="test") if "test" in dataset.splits else None
        count = MEASURED if total >= WORTHWHILE else BRIEFLY_MEASURED
        real = _sample(images), None if other is None else _sample(other)
        measured = GeneratorQuality(quality, *real, count=count, cache=cache)
        measured.rehearse()
    return GanRecipe(options, images, quality=measured, seed=seed)


def _is_grey(dataset: Dataset) -> bool:
    return isinstance(dataset, InMemory) and dataset.pixels().ndim == 3


def _sample(images: TrainingImages) -> NDArray[np.uint8]:
    """As many pictures as are compared at most, chosen by a fixed seed, in both halves of a comparison."""
    rows = np.random.default_rng(0).permutation(len(images))[: 2 * MEASURED]
    return images.uint8(np.sort(rows))
