"""How good a generator's images are while it trains: distances to real images on any extractor's features."""

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

Make = Callable[[int], NDArray[np.uint8]]
"""Makes that many images, all in one call: uint8 [n, C, H, W]."""

INTERIM = 1_000
"""Images made while the training goes on: enough for a kernel distance, and quick."""


class GeneratorQuality:
    """Distances of generated to real images; the real ones are encoded once.

    Args:
        extractor: Spec string of a registered extractor; its default levels are used.
        real: uint8 [N, H, W] or [N, C, H, W], the reference; at the size that is generated, padded as in training.
        other_real: Other real images of the same form for the floor; None: `real` is divided into two random halves.
        count: Images compared: generated ones at the end of a training, and at most so many real ones of each set,
            chosen at random.
        seed: Seed of that choice and of the blocks of the kernel distance.
        device: Where the extractor computes.
        cache: Folder that keeps the features of real images for a run that is resumed; None: nowhere.

    Raises:
        UsageError: No such extractor, or one that does not encode images.
        DataError: Arrays of another form.
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
            raise UsageError(f"extractor {extractor!r} does not encode images; expected one that does")
        self._extractor: Encoder = built
        self._spec = built.spec()
        self._count, self._device, self._seed, self._cache = count, device, seed, cache
        rng = np.random.default_rng(seed)
        if other_real is None:
            order = rng.permutation(len(real))
            self._real = [_some(real, order[half::2][:count]) for half in (0, 1)]
        else:
            self._real = [_some(images, rng.permutation(len(images))[:count]) for images in (real, other_real)]
        self._features: list[NDArray[np.float32]] | None = None

    def rehearse(self) -> None:
        """Encode one image: what the extractor lacks must be known before hours of training, not after them.

        Raises:
            MissingError: A package or weights are not here.
        """
        self._encode(self._real[0][:1])

    def to(self, device: str) -> None:
        """Compute there from now on."""
        self._device = device

    @property
    def name(self) -> str:
        """The name that the distances carry."""
        return str(self._spec.name)

    def report(self, make: Make, count: int = 5_000) -> DistributionReport:
        """Make images and compare them.

        Args:
            make: Called once.
            count: Images to make; under 5,000 there is no Frechet distance.

        Returns:
            Distances with their floors.

        Raises:
            DataError: `make` gave another number or form of images.
        """
        real, other_real = self._real_features()
        images = make(count)
        if len(images) != count:
            raise DataError(f"the generator made {len(images)} images; expected {count}")
        return distribution_report(self.name, real, other_real, self._encode(images), seed=self._seed)

    def measure(self, make: Make, *, final: bool) -> Mapping[str, float]:
        """The numbers of `report` for a training's log: of all images at its end, of fewer on the way.

        Args:
            make: Called once.
            final: Whether the training is over.

        Returns:
            `fd[NAME]`, `fd[NAME].floor`, `kid[NAME]`, `kid[NAME].error` ..., as far as they can be reported.
        """
        return self.report(make, self._count if final else min(INTERIM, self._count)).flat()

    def _real_features(self) -> list[NDArray[np.float32]]:
        if self._features is None:
            self._features = [self._kept(images) for images in self._real]
        return self._features

    def _kept(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of real images, from the cache if they are there."""
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
            kept: NDArray[np.float32] = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            kept = self._encode(images)
            stream = io.BytesIO()
            np.save(stream, kept)
            write_bytes(path, stream.getvalue())
        return kept

    def _encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        options = ExtractionOptions(workers=0, device=self._device)
        features = encode_images(self._extractor, self._spec, ArrayImages(images, "generated"), options=options)
        return np.concatenate(list(features.values()), axis=1)


def _some(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The chosen images as [N, C, H, W]."""
    if images.ndim not in {3, 4}:
        raise DataError(f"got real images of shape {images.shape}; expected [N, H, W] or [N, C, H, W]")
    chosen = images[np.sort(rows)]
    return chosen[:, None] if images.ndim == 3 else chosen
