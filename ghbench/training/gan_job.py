"""A StyleGAN recipe from command-line options: settings by name, data by spec string."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ghbench import checkpoints, registry
from ghbench.dataset import Dataset
from ghbench.digests import digest_file
from ghbench.errors import MissingError
from ghbench.generators.shipped_weights import shipped_file
from ghbench.training.gan import GanOptions, GanRecipe, Model
from ghbench.training.images import InMemory, TrainingImages
from ghbench.training.quality import GeneratorQuality
from ghbench.training.run_folder import trained_file
from ghbench.training.settings import parse_settings

MEASURED, BRIEFLY_MEASURED = 5_000, 200
WORTHWHILE = 50_000
"""Minimum images of a run for a full measurement."""


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
    start: str | None = None,
) -> GanRecipe:
    """A StyleGAN recipe, ready to train.

    Args:
        model: `stylegan2` or `stylegan1`.
        data: Spec string of a dataset; the split `train`, or all of it if it has no splits.
        size: Image size.
        total: Images of the whole run. Short runs are measured on fewer images, which takes seconds instead of minutes
            and gives no Frechet distance.
        settings: `name=value` for fields of `GanOptions`.
        quality: Spec string of the extractor that compares generated and real images, None to measure nothing.
        seed: Seed of the weights and of all randomness.
        cache: Folder for the features of real images.
        start: An earlier training to start from: its file, or the name of its run or of a shipped generator.

    Raises:
        UsageError: An option or value is invalid, or the earlier networks are others.
        MissingError: There is no such training.
    """
    dataset = cast("Dataset", registry.build("dataset", data))
    images = TrainingImages(dataset, size)
    fields = {"model": model, "size": size, "colours": 1 if is_grey(dataset) else 3}
    options = GanOptions(**{**fields, **parse_settings(GanOptions, settings, taken=("model", "size"))})
    measured = None
    if quality is not None:
        other = TrainingImages(dataset, size, split="test") if "test" in dataset.splits else None
        count = MEASURED if total >= WORTHWHILE else BRIEFLY_MEASURED
        real = _sample(images), None if other is None else _sample(other)
        measured = GeneratorQuality(quality, *real, count=count, cache=cache)
        measured.rehearse()
    recipe = GanRecipe(options, images, quality=measured, seed=seed)
    if start is not None:
        path = _start_file(start)
        recipe.take_over(checkpoints.read(path), f"{start} ({digest_file(path)[:16]})")
    return recipe


def _start_file(start: str) -> Path:
    path = trained_file(start) or shipped_file(start)
    if not path.is_file():
        raise MissingError(
            f"there is no training {start} to start from", fix="--start FILE, or the name of a finished run"
        )
    return path


def is_grey(dataset: Dataset) -> bool:
    """Whether a dataset in memory has one channel, which images then have three times."""
    return isinstance(dataset, InMemory) and dataset.pixels().ndim == 3


def _sample(images: TrainingImages) -> NDArray[np.uint8]:
    """The most images that a comparison needs for both of its halves, chosen with a fixed seed."""
    rows = np.random.default_rng(0).permutation(len(images))[: 2 * MEASURED]
    return images.uint8(np.sort(rows))
