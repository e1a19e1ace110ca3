"""Directions that need no training: random ones, principal components of w, what changes codes or pictures most."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ghbench import registry
from ghbench.digests import digest_json
from ghbench.errors import UsageError
from ghbench.extractor import NavigatorSpec, TrainingRecord
from ghbench.spec_string import SpecString

if TYPE_CHECKING:
    from torch import Tensor

    from ghbench.generator import GeneratorSpec
    from ghbench.generators.protocol import Generator

STEP, PART = 0.02, 20
"""Step of differences, as a share of the largest deviation of w; pictures at once."""
FACES = SpecString("mobile-stylegan-ffhq", options={"size": "64"})


class ClosedForm(ABC):
    """K directions of norm sqrt(D) in w, with equal shares in a window of rows of W+, which add to 1.

    All rows are those that the generator shares with its whole network, if it is only its first layers.

    Args:
        generator: Spec string of a generator.
        directions: Number of directions.
        rows: Window of rows, `first-last` or a single one, 0 for the coarsest; empty for all.

    Raises:
        UsageError: No directions, or an invalid window.
    """

    name: ClassVar[str]
    citation: ClassVar[str] = ""

    def __init__(self, generator: SpecString = FACES, directions: int = 30, rows: str = "") -> None:
        if directions < 1:
            raise UsageError(f"directions={directions}; expected at least one")
        self.generator, self.count, self.rows = generator, directions, rows

    def spec(self) -> NavigatorSpec:
        """Describe the navigator."""
        about = self._generator_spec
        digest = digest_json({"method": self.name, "version": 1, "generator": about.weights_digest, **self.recipe()})
        return NavigatorSpec(
            name=self.name,
            version="1",
            weights_digest=digest,
            training=TrainingRecord(
                datasets=about.training.datasets, image_digests=None, networks=self.networks(),
                supervision="unsupervised", domain="in-generator",
            ),
            licence=about.licence,
            citation=self.citation,
            generator=str(self.generator),
            generator_digest=about.weights_digest,
            space="w_plus",
            directions_digest=digest,
        )  # fmt: skip

    def directions(self, codes: NDArray[Any] | None = None) -> NDArray[np.float32]:
        """Directions [K, L, D]; the same for each of B codes [B, L, D]: [B, K, L, D].

        Raises:
            UsageError: The window does not fit the generator, or it has fewer directions.
        """
        found = self._directions
        if codes is None:
            return found
        rows = np.shape(codes)[1]
        whole = np.pad(found[:, :rows], ((0, 0), (0, max(rows - found.shape[1], 0)), (0, 0)))
        return np.broadcast_to(whole, (len(codes), *whole.shape))

    def recipe(self) -> dict[str, Any]:
        """What decides the directions beside the generator, as JSON values."""
        return {"directions": self.count, "rows": self.rows}

    def networks(self) -> tuple[str, ...]:
        """Digests of the networks that decide the directions."""
        return (self._generator_spec.weights_digest,)

    @abstractmethod
    def axes(self, generator: Generator) -> Tensor:
        """Directions in w [K or more, D], of any length."""

    @cached_property
    def _generator_spec(self) -> GeneratorSpec:
        from ghbench.generators.loading import generator_plugin

        return generator_plugin(str(self.generator)).spec()

    @cached_property
    def _directions(self) -> NDArray[np.float32]:
        from ghbench.generators.loading import load_generator

        generator = load_generator(str(self.generator))
        axes = self.axes(generator).numpy()
        if len(axes) < self.count:
            raise UsageError(f"{self.name} has {len(axes)} directions, not {self.count}", fix=f"directions={len(axes)}")
        axes = axes[: self.count] / np.sqrt(np.square(axes[: self.count]).mean(axis=1, keepdims=True))
        weights = self._window(generator)
        return np.asarray(axes[:, None, :] * weights[None, :, None], np.float32)

    def _window(self, generator: Generator) -> NDArray[np.float64]:
        from ghbench.generators.loading import shared_rows

        count = max(level.layer for level in generator.levels) + 1
        weights = np.zeros(count)
        first, _, last = self.rows.partition("-")
        try:
            window = (
                slice(int(first), int(last or first) + 1)
                if self.rows
                else slice(0, shared_rows(generator, str(self.generator)))
            )
        except ValueError:
            raise UsageError(f"rows={self.rows}; expected for instance 0-3 or 5") from None
        if not 0 <= window.start < window.stop <= count:
            raise UsageError(f"rows={self.rows}; this generator has rows 0 to {count - 1}")
        weights[window] = 1 / (window.stop - window.start)
        return weights


class RandomDirections(ClosedForm):
    """Random directions in the subspace of principal components of w: what any method has to beat.

    Args:
        generator: Spec string of a generator.
        directions: Number of directions.
        rows: Window of rows; empty for all.
        components: Principal components that span the subspace.
        seed: Seed.
    """

    name: ClassVar[str] = "random-directions"

    def __init__(
        self, generator: SpecString = FACES, directions: int = 30, rows: str = "", components: int = 100, seed: int = 0
    ) -> None:
        super().__init__(generator, directions, rows)
        if components < 1 or seed < 0:
            raise UsageError(
                f"components={components}, seed={seed}; expected at least one component and no negative seed"
            )
        self.components, self.seed = components, seed

    def recipe(self) -> dict[str, Any]:
        """What decides the directions."""
        return {**super().recipe(), "components": self.components, "seed": self.seed}

    def axes(self, generator: Generator) -> Tensor:
        """Standard normal coordinates in the subspace."""
        import torch

        from ghbench.contrafeat.subspace import principal_axes

        basis = principal_axes(generator).axes[: self.components]
        drawn = np.random.default_rng(self.seed).standard_normal((self.count, len(basis)))
        return torch.from_numpy(drawn.astype(np.float32)) @ basis


class GanSpace(ClosedForm):
    """Principal components of w, the largest first (Harkonen et al. 2020)."""

    name: ClassVar[str] = "ganspace"
    citation: ClassVar[str] = "Harkonen et al. 2020, GANSpace: Discovering Interpretable GAN Controls"

    def axes(self, generator: Generator) -> Tensor:
        """The components."""
        from ghbench.contrafeat.subspace import principal_axes

        return principal_axes(generator).axes


class Sefa(ClosedForm):
    """Directions that the affine layers of the window's rows pass most (Shen and Zhou 2021)."""

    name: ClassVar[str] = "sefa"
    citation: ClassVar[str] = "Shen and Zhou 2021, Closed-Form Factorization of Latent Semantics in GANs (SeFa)"

    def axes(self, generator: Generator) -> Tensor:
        """Eigenvectors of the layers' weights, sorted."""
        from ghbench.contrafeat.subspace import sefa_axes

        weights = self._window(generator)
        return sefa_axes(generator, [level.name for level in generator.levels if weights[level.layer]])


class Hessian(ClosedForm):
    """Directions along which pictures change most: eigenvectors of the mean metric tensor (Wang and Ponce 2021).

    The metric tensor of a code is J^T J, with J the derivative of a sensor's features, of unit length at each place, by
    w, in the subspace of principal components; forward differences take its place.

    Args:
        generator: Spec string of a generator.
        directions: Number of directions.
        rows: Window of rows; empty for all.
        components: Principal components that span the subspace.
        sensor: Extractor that offers its network for perceptual losses.
        codes: Codes over which tensors are averaged.
    """

    name: ClassVar[str] = "hessian"
    citation: ClassVar[str] = "Wang and Ponce 2021, The Geometry of Deep Generative Image Models and its Applications"

    def __init__(
        self, generator: SpecString = FACES, directions: int = 30, rows: str = "", components: int = 100,
        sensor: str = "mobilenet-v2", codes: int = 10,
    ) -> None:  # fmt: skip
        super().__init__(generator, directions, rows)
        if components < directions or codes < 1:
            raise UsageError(f"components={components}, codes={codes}; expected {directions} components, and a code")
        self.components, self.sensor, self.codes = components, sensor, codes

    def recipe(self) -> dict[str, Any]:
        """What decides the directions."""
        sensor = registry.build("extractor", self.sensor).spec().weights_digest
        return {**super().recipe(), "components": self.components, "sensor": sensor, "codes": self.codes}

    def networks(self) -> tuple[str, ...]:
        """The generator and the sensor."""
        return (*super().networks(), registry.build("extractor", self.sensor).spec().weights_digest)

    def axes(self, generator: Generator) -> Tensor:
        """Eigenvectors in the subspace, the largest first."""
        import torch

        from ghbench.contrafeat.subspace import principal_axes
        from ghbench.generators.rendering import seeded_z
        from ghbench.ghfeat.training.perceptual import perceptual_network
        from ghbench.seeds import seeds_for

        look, _ = perceptual_network(self.sensor)
        found = principal_axes(generator)
        basis, step = found.axes[: self.components], STEP * float(found.deviations[0])
        weights = torch.from_numpy(self._window(generator)).float()
        moves = step * basis[:, None] * weights[None, :, None]
        total = torch.zeros(len(basis), len(basis), dtype=torch.float64)
        with torch.no_grad():
            for seed in seeds_for("train", self.codes):
                ws = generator.mapping(seeded_z([seed], generator.z_dim))
                start = look(generator.synthesis(ws))
                parts = [look(generator.synthesis(ws + part)) - start for part in torch.split(moves, PART)]
                slopes = torch.cat(parts).double() / step
                total += slopes @ slopes.T
        vectors: Tensor = torch.linalg.eigh(total).eigenvectors.flip(1).T.float()
        return vectors @ basis
