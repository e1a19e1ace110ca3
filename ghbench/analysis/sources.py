"""What the user compares: a folder, a dataset or a generator's images, and their features from the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ghbench import registry
from ghbench.data.imagefolder import ImageFolder
from ghbench.data.subset import Subset, first_rows
from ghbench.dataset import Dataset
from ghbench.errors import MissingError, UsageError
from ghbench.extractor import ExtractorSpec
from ghbench.running.features import stored_features
from ghbench.running.options import RunOptions
from ghbench.running.request import subject_request, without_similarity
from ghbench.spec_string import parse

if TYPE_CHECKING:
    from ghbench.data.renders import Renders

DRAWN_SIZE = 256
"""Largest side at which a generator's images are drawn here; larger ones are averaged down."""


@dataclass(frozen=True, slots=True)
class EncodedImages:
    """Features of a dataset.

    Args:
        name: Spec string of the extractor.
        spec: Its spec.
        align: Name of the alignment in use.
        levels: By level [N, D], in the extractor's order; memory-mapped where they are one file.
    """

    name: str
    spec: ExtractorSpec
    align: str
    levels: Mapping[str, NDArray[Any]]


def load_images(name: str, purpose: str = "test", count: int = 1_000) -> Dataset:
    """The images that a user names.

    Args:
        name: A folder, the spec string of a dataset, `SPEC#SPLIT` for one split of it, or the spec string or path of a
            generator.
        purpose: What a generator's seeds are for, see `ghbench.seeds`.
        count: Images that a generator draws.

    Raises:
        UsageError: Nothing of that name, or no such split.
        MissingError: No such folder or file.
    """
    if Path(name).expanduser().is_dir():
        return ImageFolder(Path(name))
    whole, mark, split = name.rpartition("#")
    if mark and not Path(name).is_file():
        dataset = load_images(whole, purpose, count)
        if split not in dataset.splits:
            raise UsageError(f"{whole!r} has no split {split!r}; it has {', '.join(dataset.splits) or 'none'}")
        return Subset(dataset, dataset.splits[split])
    spec = parse(name)
    registered = {kind: {plugin.name for plugin in registry.plugins(kind)} for kind in ("dataset", "generator")}
    is_file = spec.attribute is None and Path(spec.name).is_file()
    if spec.attribute is None and Path(spec.name).is_absolute() and not is_file:
        raise MissingError(f"{name} is not there; expected a folder of images, a dataset or a generator")
    if is_file or (spec.name in registered["generator"] and spec.name not in registered["dataset"]):
        return _renders(name, purpose, count)
    return cast("Dataset", registry.build("dataset", spec))


def different_images(dataset: Dataset, limit: int | None) -> tuple[Dataset, int]:
    """The first `limit` images, each different one once, and how many repeated ones were left out."""
    shortened = dataset if limit is None or limit >= len(dataset) else first_rows(dataset, limit)
    first: dict[str, int] = {}
    for row, identity in enumerate(shortened.identities()):
        first.setdefault(identity, row)
    repeated = len(shortened) - len(first)
    return (Subset(shortened, list(first.values())) if repeated else shortened), repeated


def encode(extractor: str, dataset: Dataset, options: RunOptions | None = None) -> EncodedImages:
    """Features of a dataset under the same key as in a run, from the store or extracted into it.

    Args:
        extractor: Spec string, with `level=` as anywhere.
        dataset: The images.
        options: Alignment, dtype, extraction and store are used.

    Raises:
        UsageError: It has no features, or `policy=` was given, which means nothing here.
    """
    options = options or RunOptions()
    request = without_similarity(subject_request(extractor))
    if request.policy != "concat":
        raise UsageError(f"policy={request.policy} means nothing here: levels are looked at one by one or concatenated")
    spec, wanted, align, stored = stored_features(request, dataset, options)
    return EncodedImages(str(request), spec, align.name, {level: stored.read(level) for level in wanted})


def concatenate_levels(encoded: EncodedImages) -> NDArray[np.float64]:
    """All levels side by side, float64 [N, D]."""
    return np.concatenate([np.asarray(level, dtype=np.float64) for level in encoded.levels.values()], axis=1)


def _renders(generator: str, purpose: str, count: int) -> Renders:
    from ghbench.data.renders import Renders
    from ghbench.generators.loading import generator_plugin
    from ghbench.seeds import seeds_for

    size = generator_plugin(generator).spec().size
    while size > DRAWN_SIZE:
        size //= 2
    return Renders(generator, count, seeds_for(purpose, count).start, size=size)
