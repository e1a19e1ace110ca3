"""A folder of generated pictures, an encoder that can be told to misbehave, and a store for what it makes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from ghbench.data.imagefolder import ImageFolder
from ghbench.dataset import content_digest
from ghbench.extraction import ExtractionOptions, extract_features
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.store import FeatureKey, FeatureStore

SIDE = 8
ROWS = 40
PROBED = 3
"""Images of the first batch that are encoded a second time, to see whether their features stay."""


def pictures(folder, count=ROWS, copies=()):
    """`count` different pictures; `copies` of (row, of which earlier row)."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
    for row, source in copies:
        pixels[row] = pixels[source]
    folder.mkdir(parents=True, exist_ok=True)
    for row, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{row:04d}.png")
    return ImageFolder(folder)


@dataclass
class Encoder:
    """Level `low` holds all pixels, `high` 16 fixed projections of them; `change` may spoil what comes out."""

    change: object = None
    calls: list = field(default_factory=list)
    levels: tuple = (Level("low", 3 * SIDE * SIDE), Level("high", 16))

    def spec(self):
        return ExtractorSpec(
            name="tiny",
            version="1",
            levels=self.levels,
            default_levels=("high",),
            preprocessing=Preprocessing(size=(SIDE, SIDE)),
            weights_digest="0" * 64,
            training=TrainingRecord(),
            licence="Apache-2.0",
        )

    def extract(self, images):
        self.calls.append(len(images))
        low = images.reshape(len(images), -1).astype(np.float32) / 255
        projection = np.random.default_rng(1).normal(size=(low.shape[1], 16)).astype(np.float32)
        features = {"low": low, "high": np.einsum("nd,dk->nk", low, projection)}
        return features if self.change is None else self.change(features, images)


def key_of(dataset, view="plain", dtype="float32"):
    resize = {"size": (SIDE, SIDE), "resize": "squash"}
    return FeatureKey("tiny", "1", "", "w", resize, {}, view, "numpy", dtype, "d", content_digest(dataset), 1)


def open_features(root, dataset, *, view="plain", dtype="float32", shard_rows=8):
    return FeatureStore(root / "store").open(key_of(dataset, view, dtype), dataset.ids, shard_rows)


def run(encoder, dataset, stored, levels=("low", "high"), align="none", **options):
    options = ExtractionOptions(**{"workers": 0, "batch_size": 4, "device": "cpu", **options})
    return extract_features(encoder, encoder.spec(), dataset, stored, levels, align, options)
