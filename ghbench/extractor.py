"""What a subject of evaluation is: a spec, and at least one ability. Nothing to inherit; satisfy a Protocol.

An extractor is a subject with features, a navigator one with directions in the latent space of a generator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Similarity = Literal["cosine", "l2"]
Domain = Literal["real", "renderer", "in-generator", "not stated"]
Space = Literal["w_plus", "styles"]


@dataclass(frozen=True, slots=True)
class Level:
    """One place in a hierarchy of features.

    Args:
        name: The place, for instance `r8.conv` or `stage3`.
        dim: Numbers a level holds for one image.
    """

    name: str
    dim: int


@dataclass(frozen=True, slots=True, eq=False)
class LearnedMetric:
    """Features are compared by the cosine of (features - mean) @ matrix.

    Args:
        mean: float32 [D].
        matrix: float16 [D, K]; None for the identity.
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float16] | None

    def apply(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """[N, D] to float32 [N, K]."""
        centred = features.astype(np.float32) - self.mean
        return centred if self.matrix is None else centred @ self.matrix.astype(np.float32)


@dataclass(frozen=True, slots=True)
class OwnMetric:
    """A metric that travels with the weights.

    Args:
        kind: `centred`, `whitened` or `within`.
        generator: Spec string of the generator whose pictures it was learned from.
        metrics: By level, and by all default levels, joined by `+`, for their concatenation.
    """

    kind: str
    generator: str
    metrics: Mapping[str, LearnedMetric]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What happens to an image before the network sees it. The engine aligns and resizes, the extractor normalises.

    Args:
        size: Height and width in pixels that `extract` receives.
        align: Name of the alignment used unless the user asks for another one.
        resize: Name of the resize step, see `ghbench.imaging.resize`.
        grey: What becomes of grey images, and whether colour is used at all.
        normalise: How `extract` brings uint8 to the network's range.
    """

    size: tuple[int, int]
    align: str = "none"
    resize: str = "crop-bilinear"
    grey: str = "replicated to three channels"
    normalise: str = "divided by 255"


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """What shaped the weights, so that nothing is scored on what it learned from.

    Args:
        datasets: Names of the datasets seen, `()` for an untrained subject; `fashion-mnist#train` where only one split
            was seen.
        image_digests: Digests of the images seen (see `ghbench.dataset.Dataset`), None where they cannot be listed.
        networks: Weights digests of generators and auxiliary networks (perceptual, sensor, labeller) involved.
        supervision: What taught the weights: `none`, `unsupervised`, `self-supervised`, `class labels`, `identities`...
        domain: Where the images came from.
    """

    datasets: tuple[str, ...] = ()
    image_digests: frozenset[str] | None = frozenset()
    networks: tuple[str, ...] = ()
    supervision: str = "none"
    domain: Domain = "real"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectSpec:
    """What identifies anything that a task evaluates; cheap to make, no network is built for it.

    Args:
        name: Registered name.
        version: Grows whenever the same input may give another output.
        weights_digest: sha256 that identifies the weights, whatever they are: a file, a fit, a seed and recipe.
        training: Training record.
        licence: Licence of the weights.
        citation: What to cite.
    """

    name: str
    version: str
    weights_digest: str
    training: TrainingRecord
    licence: str
    citation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractorSpec(SubjectSpec):
    """A subject that has features.

    Args:
        levels: All levels, coarse to fine for generators, in network order for backbones.
        default_levels: Names of the levels used when the user names none.
        preprocessing: Named preprocessing.
        similarity: How two feature vectors are compared; larger is more alike (`l2` is negated distance).
        backend: Library and precision of the computation, part of the feature key: `numpy-float32`, `torch-float32`...
        centred: Whether features already are differences from a mean that was learned in training.
        mean: Training-set mean of each level, which is subtracted from features; None: nothing is.
        metric: Metric learned from generated pictures in which features are compared; None: they are compared as they
            are. Its digest is part of `weights_digest`.
        aliases: Other names of levels, each for one or several of them: GH-Feat's levels also have the paper's numbers.
        parameters: Numbers that training sets, of all that encodes; 0 where nothing is trained, None where nobody
            counted. A column of tables, and no part of any key.
    """

    levels: tuple[Level, ...]
    default_levels: tuple[str, ...]
    preprocessing: Preprocessing
    similarity: Similarity = "cosine"
    backend: str = "numpy-float32"
    centred: bool = False
    mean: Mapping[str, NDArray[np.float32]] | None = field(default=None, compare=False)
    metric: OwnMetric | None = field(default=None, compare=False)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    parameters: int | None = field(default=None, compare=False)

    def dim(self, level: str) -> int:
        """Numbers that `level` holds for one image."""
        return next(entry.dim for entry in self.levels if entry.name == level)


@dataclass(frozen=True, slots=True, kw_only=True)
class NavigatorSpec(SubjectSpec):
    """A subject that has directions in the latent space of a generator.

    Args:
        generator: Registered name of the generator.
        generator_digest: Digest of the generator's weights.
        space: Where the directions live.
        directions_digest: sha256 of the directions, or of the network that makes them.
    """

    generator: str
    generator_digest: str
    space: Space
    directions_digest: str


@runtime_checkable
class Subject(Protocol):
    """Anything that a task evaluates. What it can do is said by the ability Protocols below."""

    def spec(self) -> SubjectSpec:
        """Describe the subject without building its network."""
        ...


@runtime_checkable
class Extractor(Protocol):
    """A subject with features: an encoder, or something whose features are in the store."""

    def spec(self) -> ExtractorSpec:
        """Describe the extractor without building its network."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Turns images into features."""

    def extract(self, images: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        """Encode a batch.

        Args:
            images: uint8 [N, 3, H, W] RGB, H and W exactly as declared in the spec.

        Returns:
            For each level a floating array [N, D], rows in the order of the images.
        """
        ...


@runtime_checkable
class Decoder(Protocol):
    """Turns features back into images."""

    def decode(self, features: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """Decode a batch.

        Args:
            features: For each level a floating array [N, D].

        Returns:
            uint8 [N, 3, H, W] RGB.
        """
        ...


@runtime_checkable
class CodePredictor(Protocol):
    """Predicts the codes of a generator, so that its features can be checked where the true codes are known."""

    def features_of_codes(self, generator: str, ws: NDArray[np.float32]) -> Mapping[str, NDArray[Any]] | None:
        """Say what the features of images should be.

        Args:
            generator: Registered name of the generator that drew them.
            ws: W+ codes [N, rows, w_dim] that it drew them from.

        Returns:
            For each level [N, D], in the units of `extract`, 0 where a code is the generator's mean; None where the
            extractor does not predict the codes of this generator.
        """
        ...


@runtime_checkable
class Concurrent(Protocol):
    """An encoder that gains from several batches at once on the CPU, each computed by a thread of its own.

    `extract` of every encoder may be called from several threads; this one is.
    """

    concurrent: bool


@runtime_checkable
class WithCard(Protocol):
    """A subject whose weights come with a model card."""

    def card(self) -> str:
        """The card as Markdown; empty if the weights have none.

        Raises:
            UserError: The weights are not there, or are damaged.
        """
        ...


@runtime_checkable
class Navigator(Protocol):
    """Semantic directions in the latent space of a generator; its spec is a `NavigatorSpec`."""

    def directions(self, codes: NDArray[Any] | None = None) -> NDArray[Any] | Sequence[NDArray[Any]]:
        """Give the directions.

        Args:
            codes: W+ codes [B, L, D] for per-sample directions, None for global ones.

        Returns:
            [K, L, D] or per sample [B, K, L, D] in `w_plus`; one array a layer, [K, D_l], in `styles`.
        """
        ...


@runtime_checkable
class OnDevice(Protocol):
    """A subject that can compute somewhere else than on the CPU."""

    def to(self, device: str) -> None:
        """Move the network to `device`, for instance `cuda:0`."""
        ...
