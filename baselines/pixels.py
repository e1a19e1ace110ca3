"""The trivial rows of every table: pixels, a thumbnail, and a random projection. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_json
from ghbench.errors import UsageError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord

# ITU-R BT.601 luma, the weights that Pillow's mode "L" uses.
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def grey(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma of a batch.

    Args:
        images: uint8 [N, 3, H, W] RGB.

    Returns:
        float32 [N, H, W] in [0, 1].
    """
    luma: NDArray[np.float32] = np.einsum("nchw,c->nhw", images, LUMA / np.float32(255), dtype=np.float32)
    return luma


class Pixels:
    """Resized RGB pixels, flattened: the baseline that every learned feature has to beat.

    Args:
        size: Height and width in pixels.
    """

    def __init__(self, size: int = 64) -> None:
        self.size = _positive("size", size)

    def spec(self) -> ExtractorSpec:
        """Describe the extractor."""
        return _untrained_spec("pixels", {"size": self.size}, 3 * self.size**2, self.size)

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Flatten a batch: uint8 [N, 3, S, S] to float32 [N, 3 * S * S] in [0, 1]."""
        return {"pixels": _flat(images)}

    def decode(self, features: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """Reconstruct images: [N, 3 * S * S] to uint8 [N, 3, S, S]."""
        return as_images(features["pixels"].reshape(-1, 3, self.size, self.size))


class Thumbnail:
    """A 16-pixel grey thumbnail, flattened: how far coarse brightness alone gets.

    Args:
        size: Height and width in pixels.
    """

    def __init__(self, size: int = 16) -> None:
        self.size = _positive("size", size)

    def spec(self) -> ExtractorSpec:
        """Describe the extractor."""
        return _untrained_spec(
            "thumbnail", {"size": self.size}, self.size**2, self.size, grey="colour reduced to luma (BT.601)"
        )

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Flatten the luma of a batch: uint8 [N, 3, S, S] to float32 [N, S * S] in [0, 1]."""
        return {"thumbnail": grey(images).reshape(len(images), -1)}

    def decode(self, features: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """Reconstruct the thumbnails, in grey: [N, S * S] to uint8 [N, 3, S, S]."""
        return as_images(features["thumbnail"].reshape(-1, 1, self.size, self.size))


class RandomProjection:
    """Pixels through a seeded Gaussian projection: as many dimensions as a network gives, nothing learned.

    The projection keeps distances up to a few per cent (Johnson and Lindenstrauss 1984).

    Args:
        dim: Feature dimension.
        seed: Seed of the projection.
        size: Height and width in pixels.
    """

    def __init__(self, dim: int = 512, seed: int = 0, size: int = 64) -> None:
        self.dim = _positive("dim", dim)
        self.seed = _natural("seed", seed)
        self.size = _positive("size", size)
        self._matrix: NDArray[np.float32] | None = None

    def spec(self) -> ExtractorSpec:
        """Describe the extractor."""
        recipe = {"dim": self.dim, "seed": self.seed, "size": self.size}
        return _untrained_spec("random-projection", recipe, self.dim, self.size)

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Project a batch: uint8 [N, 3, S, S] to float32 [N, dim]."""
        return {"random-projection": _flat(images) @ self.matrix()}

    def matrix(self) -> NDArray[np.float32]:
        """The projection, float32 [3 * S * S, dim], entries of variance 1 / dim so that squared lengths are kept."""
        if self._matrix is None:
            drawn = np.random.default_rng(self.seed).standard_normal((3 * self.size**2, self.dim), dtype=np.float32)
            self._matrix = drawn / np.float32(np.sqrt(self.dim))
        return self._matrix


def as_images(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Values [N, 1 or 3, H, W] in [0, 1], rounded and clipped, as uint8 [N, 3, H, W]."""
    levels = np.round(np.clip(np.asarray(values, dtype=np.float64), 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(levels, (len(levels), 3, *levels.shape[2:])))


def _flat(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _untrained_spec(
    name: str, recipe: dict[str, int], dim: int, size: int, grey: str = "replicated to three channels"
) -> ExtractorSpec:
    return ExtractorSpec(
        name=name,
        version="1",
        levels=(Level(name, dim),),
        default_levels=(name,),
        preprocessing=Preprocessing(size=(size, size), grey=grey, normalise="divided by 255"),
        weights_digest=digest_json({"recipe": name, **recipe}),
        training=TrainingRecord(),
        licence="none needed: nothing was trained",
        similarity="l2",
        parameters=0,
    )


def _positive(option: str, value: int) -> int:
    if value < 1:
        raise UsageError(f"option {option}={value} must be at least 1")
    return value


def _natural(option: str, value: int) -> int:
    if value < 0:
        raise UsageError(f"option {option}={value} must not be negative")
    return value
