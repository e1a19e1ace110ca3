"""Eigenfaces: principal components of faces, grey or in colour, fitted on a named dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import assets
from ghbench.data.known import in_usual_frame
from ghbench.dataset import Dataset, content_digest
from ghbench.digests import digest_json
from ghbench.errors import UsageError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.imaging.resize import RESIZES
from ghbench.spec_string import SpecString

from .pixels import as_images, grey

_ASSET, _MEMBER = "lfw-subset", "lfw_subset.npy"
_FACES, _SIDE = 100, 25  # the other 100 images of the subset show no faces
_RESIZE = "crop-bilinear"


@dataclass(frozen=True)
class Pca:
    """Principal components.

    Args:
        mean: float64 [P], the mean image.
        axes: float64 [K, P], orthonormal rows by falling variance.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]


class Eigenfaces:
    """Principal components of grey faces, compared by distance (Turk and Pentland 1991).

    Args:
        fit: Dataset to fit on, with its options as `fit.KEY`; its split `train` if it has one, else all of it. By
            default the 100 faces of LFW that scikit-image ships.
        components: Number of principal components.
        size: Height and width in pixels; by default 64, or 25, the size of the shipped faces, without `fit`.
        colour: Whether to use colour images; needs `fit`.
    """

    def __init__(
        self, fit: SpecString | None = None, components: int = 64, size: int | None = None, colour: bool = False
    ) -> None:
        if fit is None and colour:
            raise UsageError("the default faces are grey; colour=true needs fit=DATASET")
        self.colour = colour
        if fit is None and size not in {None, _SIDE}:
            raise UsageError(f"the default faces are {_SIDE} pixels high and wide; size={size} needs fit=DATASET")
        self.fit = fit
        self.size = size or (_SIDE if fit is None else 64)
        self.components = components
        if fit is None:
            self._check_components(_FACES)
        elif components < 1 or self.size < 2:
            raise UsageError(f"components={components} and size={size} must be at least 1 and 2")

    def spec(self) -> ExtractorSpec:
        """Describe the extractor; with `fit=` this reads the images, whose content determines the weights."""
        return ExtractorSpec(
            name="eigenfaces",
            version="1",
            levels=(Level("components", self.components),),
            default_levels=("components",),
            preprocessing=Preprocessing(
                size=(self.size, self.size),
                resize=_RESIZE,
                grey="replicated to three channels" if self.colour else "colour reduced to luma (BT.601)",
                normalise="divided by 255, less the mean face",
            ),
            weights_digest=digest_json(
                {
                    "recipe": "pca by the Gram matrix, float64",
                    "fit": self._fit_digest,
                    "components": self.components,
                    "size": self.size,
                    **({"colour": True} if self.colour else {}),
                }
            ),
            training=self._record,
            licence="as the images it was fitted on" if self.fit else "Apache-2.0; fitted on faces of LFW",
            similarity="l2",
            centred=True,  # the mean face is subtracted before projecting
            citation="Turk and Pentland 1991, Eigenfaces for Recognition",
            parameters=(self.components + 1) * self.size**2 * (3 if self.colour else 1),
        )

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Project a batch: uint8 [N, 3, S, S] to float32 [N, components]."""
        centred = self._rows_of(images) - self._pca.mean
        return {"components": (centred @ self._pca.axes.T).astype(np.float32)}

    def decode(self, features: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """Reconstruct images from their components: [N, components] to uint8 [N, 3, S, S]."""
        rows = self._pca.mean + np.asarray(features["components"], dtype=np.float64) @ self._pca.axes
        return as_images(rows.reshape(len(rows), -1, self.size, self.size))

    @cached_property
    def _pca(self) -> Pca:
        key = digest_json([self._fit_digest, self.size, self.colour])
        if key not in _latest:
            _latest.clear()
            _latest[key] = spectrum(self._fitted_rows())
        return _latest[key].components(self.components)

    def _fitted_rows(self) -> NDArray[np.float32]:
        rows: NDArray[np.float32]
        if self.fit is None:
            faces = np.load(assets.path(_ASSET, _MEMBER), allow_pickle=False)[:_FACES]
            rows = faces.reshape(len(faces), -1)
        else:
            resize = RESIZES[_RESIZE].apply
            images = [resize(self._dataset.image(int(row)), (self.size, self.size)) for row in self._rows]
            rows = self._rows_of(np.stack(images).transpose(0, 3, 1, 2))
        return rows

    def _rows_of(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Images uint8 [N, 3, S, S] flattened to rows in [0, 1]."""
        values = images.astype(np.float32) / np.float32(255) if self.colour else grey(images)
        return values.reshape(len(images), -1)

    @cached_property
    def _dataset(self) -> Dataset:
        assert self.fit is not None
        return in_usual_frame(self.fit)

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        rows = self._dataset.splits.get("train", np.arange(len(self._dataset)))
        self._check_components(len(rows))
        return rows

    @cached_property
    def _fit_digest(self) -> str:
        if self.fit is None:
            return assets.digest(_ASSET, _MEMBER)
        return digest_json({"content": content_digest(self._dataset), "rows": self._rows.tolist(), "resize": _RESIZE})

    @cached_property
    def _record(self) -> TrainingRecord:
        if self.fit is None:
            # The digests of these 25-pixel crops match no image of LFW, so the overlap is declared by name.
            return TrainingRecord(datasets=("lfw", _ASSET), image_digests=None, supervision="unsupervised")
        card, digests = self._dataset.card(), self._dataset.image_digests()
        return TrainingRecord(
            datasets=(card.name, *card.related),
            image_digests=frozenset(digests[row] for row in self._rows),
            supervision="unsupervised",
            domain=card.domain,
        )

    def _check_components(self, images: int) -> None:
        most = min(images - 1, (3 if self.colour else 1) * self.size**2)
        if not 1 <= self.components <= most:
            raise UsageError(
                f"components={self.components}: {images} images of {self.size} x {self.size} pixels give 1 to {most}"
            )


class PrincipalCodes(Eigenfaces):
    """Principal components of any images, in colour: the linear code of few numbers.

    Args:
        fit: Dataset to fit on, with its options as `fit.KEY`: its split `train`, or all of it. Images that a generator
            draws are `fit=renders,fit.generator=...,fit.first=0`.
        components: Number of principal components.
        size: Height and width in pixels.
    """

    def __init__(self, fit: SpecString | None = None, components: int = 7, size: int = 32) -> None:
        super().__init__(fit or SpecString("sprites"), components, size, colour=True)

    def spec(self) -> ExtractorSpec:
        """Describe the extractor; reads the images, whose content determines the weights."""
        return replace(super().spec(), name="pca", citation="Hotelling 1933")


@dataclass(frozen=True)
class Spectrum:
    """What all numbers of components of some images have in common; the expensive part of their fit.

    Args:
        rows: float32 [N, P], one image a row.
        mean: float64 [P].
        vectors: float64, largest eigenvalue first: eigenvectors of the Gram matrix of the centred rows [N, N - 1], or
            of their covariance [P, P] where that is smaller.
    """

    rows: NDArray[np.float32]
    mean: NDArray[np.float64]
    vectors: NDArray[np.float64]

    def components(self, count: int) -> Pca:
        """The first components; the largest entry of each axis is positive, which fixes the sign."""
        chosen = self.vectors[:, :count]
        axes = chosen.T
        if len(chosen) == len(self.rows):
            axes = chosen.T @ self.rows - np.outer(chosen.sum(axis=0), self.mean)
        axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
        peak = axes[np.arange(count), np.abs(axes).argmax(axis=1)]
        return Pca(self.mean, axes * np.sign(peak)[:, None])


def spectrum(rows: NDArray[np.floating]) -> Spectrum:
    """Eigenvectors in float64, of the smaller of two matrices: many times faster than singular values of the rows.

    Args:
        rows: [N, P], one image a row.
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = rows - mean
    few = len(rows) <= rows.shape[1]
    _, vectors = np.linalg.eigh(centred @ centred.T if few else centred.T @ centred)
    falling = vectors[:, :0:-1] if few else vectors[:, ::-1]  # centred rows are one short of full rank
    return Spectrum(rows.astype(np.float32, copy=False), mean, np.ascontiguousarray(falling))


_latest: dict[str, Spectrum] = {}
"""The fit made last, by its digest: tables hold several numbers of components of the same images."""


def principal_components(rows: NDArray[np.floating], count: int) -> Pca:
    """Fit principal components.

    Args:
        rows: [N, P], one image a row.
        count: Number of components, below N.
    """
    return spectrum(rows).components(count)
