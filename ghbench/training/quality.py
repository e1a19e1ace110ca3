"""Quality of generated images during training: distances to real images on an extractor's features."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench import registry
from ghbench.atomic import write_bytes
from ghbench.data.array_images import ArrayImages
from ghbench.digests import digest_array, digest_json
from ghbench.errors import DataError, UsageError
from ghbench.extraction import ExtractionOptions, encode_images
from ghbench.extractor import Encoder, Extractor
from ghbench.metrics.distribution_report import DistributionReport, distribution_report
from ghbench.store.arrays_from_files import map_array, write_array

Make = Callable[[int], NDArray[np.uint8]]
"""Makes n images in one call: uint8 [n, C, H, W]."""

INTERIM = 1_000
"""Images of an interim evaluation: enough for a kernel distance, and quick."""


class GeneratorQuality:
    """Distances of generated to real images; real images are encoded once.

    Args:
        extractor: Spec string of a registered extractor; its default levels are used.
        real: uint8 [N, H, W] or [N, C, H, W], the reference; at the generated size, padded as in training.
        other_real: Other real images of the same shape for the floor; None to split `real` into two random halves.
        count: Generated images in the final evaluation, and the most real images of each set, chosen at random.
        seed: Seed of that choice and of the blocks of the kernel distance.
        device: Device of the extractor.
        cache: Folder for the features of real images, so that resumed runs reuse them; None for no cache.

    Raises:
        UsageError: The extractor does not exist or does not encode images.
        DataError: The arrays have another shape.
    """

    def __init__(
        self,
        extractor: str,
        real: NDArray[np.uint8],
        other_real: NDArray[np.uint8] | None = None,
        *,
        count: int = 5_000,
        seed: int = 0,
        device: str = "cpu",
        cache: Path | None = None,
    ) -> None:
        built = registry.build("extractor", extractor)
        if not isinstance(built, Extractor) or not isinstance(built, Encoder):
            raise UsageError(f"extractor {extractor!r} does not encode images")
        self._extractor: Encoder = built
        self._spec = built.spec()
        self._count, self._device, self._seed, self._cache = count, device, seed, cache
        rng = np.random.default_rng(seed)
        if other_real is None:
            order = rng.permutation(len(real))
            self._real = [_select(real, order[half::2][:count]) for half in (0, 1)]
        else:
            self._real = [_select(images, rng.permutation(len(images))[:count]) for images in (real, other_real)]
        self._features: list[NDArray[np.float32]] | None = None

    def rehearse(self) -> None:
        """Encode one image, to find missing packages or weights before hours of training, not after.

        Raises:
            MissingError: A package or weights are missing.
        """
        self._encode(self._real[0][:1])

    def to(self, device: str) -> None:
        """Move the extractor to `device`."""
        self._device = device

    @property
    def name(self) -> str:
        """Name of the extractor, used in the metrics."""
        return str(self._spec.name)

    def report(self, make: Make, count: int = 5_000) -> DistributionReport:
        """Generate images and compare them with real ones.

        Args:
            make: Makes the images; called once.
            count: Number of images; below 5,000 there is no Frechet distance.

        Returns:
            Distances with their floors.

        Raises:
            DataError: `make` returned images of another number or shape.
        """
        real, other_real = self._real_features()
        images = make(count)
        if len(images) != count:
            raise DataError(f"the generator made {len(images)} images; expected {count}")
        return distribution_report(self.name, real, other_real, self._encode(images), seed=self._seed)

    def measure(self, make: Make, *, final: bool) -> Mapping[str, float]:
        """Metrics for the log: on all images at the end of training, on fewer before.

        Args:
            make: Makes the images; called once.
            final: Whether training is over.

        Returns:
            `fd[NAME]`, `fd[NAME].floor`, `kid[NAME]`, `kid[NAME].error` ..., where available.
        """
        return self.report(make, self._count if final else min(INTERIM, self._count)).flat()

    def _real_features(self) -> list[NDArray[np.float32]]:
        if self._features is None:
            self._features = [self._encode_once(images) for images in self._real]
        return self._features

    def _encode_once(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of real images, cached."""
        if self._cache is None:
            return self._encode(images)
        spec = self._spec
        steps = spec.preprocessing
        recipe = {
            "extractor": [spec.name, spec.version, spec.weights_digest, spec.backend, list(spec.default_levels)],
            "preprocessing": [steps.align, steps.resize, list(steps.size)],
            "images": digest_array(images),
        }
        path = self._cache / f"real-features-{digest_json(recipe)[:16]}.npy"
        try:
            kept: NDArray[np.float32] = map_array(path)
        except DataError:
            kept = self._encode(images)
            stream = io.BytesIO()
            write_array(stream, kept)
            write_bytes(path, stream.getvalue())
        return kept

    def _encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        options = ExtractionOptions(workers=0, device=self._device)
        features = encode_images(self._extractor, self._spec, ArrayImages(images, "generated"), options=options)
        return np.concatenate(list(features.values()), axis=1)


def _select(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Select images by row, as [N, C, H, W]."""
    if images.ndim not in {3, 4}:
        raise DataError(f"got real images of shape {images.shape}; expected [N, H, W] or [N, C, H, W]")
    chosen = images[np.sort(rows)]
    return chosen[:, None] if images.ndim == 3 else chosen
