"""Directions that need no training: random ones, principal components of w, what changes codes or pictures most."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import UsageError
from ghbench.spec_string import SpecString

from .closed_form import FACES, PART, STEP, ClosedForm, rows_of, sensor_digest
from .windows import SEPARATOR, window, windows

if TYPE_CHECKING:
    from torch import Tensor

    from ghbench.generators.protocol import Generator


class AlongAxes(ClosedForm):
    """K directions of w, with equal shares in a window of rows of W+.

    Args:
        generator: Spec string of a generator.
        directions: Number of directions.
        rows: Window of rows, `first-last` or a single one, 0 for the coarsest; empty for all. Windows joined by dots
            are one for each direction: `0-3.5.2-4`; axes that depend on rows are then those of all rows.

    Raises:
        UsageError: No directions, or an invalid window.
    """

    @abstractmethod
    def axes(self, generator: Generator) -> Tensor:
        """Directions in w [K or more, D], of any length."""

    def moves(self, generator: Generator) -> NDArray[np.floating[Any]]:
        """The axes in their windows."""
        axes = self.axes(generator).numpy()
        if len(axes) < self.count:
            raise UsageError(f"{self.name} has {len(axes)} directions, not {self.count}", fix=f"directions={len(axes)}")
        axes = axes[: self.count] / np.sqrt(np.square(axes[: self.count]).mean(axis=1, keepdims=True))
        weights = windows(self.rows, rows_of(generator), self.shared_rows(generator), self.count)
        return np.asarray(axes[:, None, :] * weights[:, :, None])

    def _window(self, generator: Generator) -> NDArray[np.float64]:
        """Shares of rows [L] that axes take into account."""
        return window("" if SEPARATOR in self.rows else self.rows, rows_of(generator), self.shared_rows(generator))


class RandomDirections(AlongAxes):
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


class GanSpace(AlongAxes):
    """Principal components of w, the largest first (Harkonen et al. 2020)."""

    name: ClassVar[str] = "ganspace"
    citation: ClassVar[str] = "Harkonen et al. 2020, GANSpace: Discovering Interpretable GAN Controls"

    def axes(self, generator: Generator) -> Tensor:
        """The components."""
        from ghbench.contrafeat.subspace import principal_axes

        return principal_axes(generator).axes


class Sefa(AlongAxes):
    """Directions that the affine layers of the window's rows pass most (Shen and Zhou 2021)."""

    name: ClassVar[str] = "sefa"
    citation: ClassVar[str] = "Shen and Zhou 2021, Closed-Form Factorization of Latent Semantics in GANs (SeFa)"

    def axes(self, generator: Generator) -> Tensor:
        """Eigenvectors of the layers' weights, sorted."""
        from ghbench.contrafeat.subspace import sefa_axes

        weights = self._window(generator)
        return sefa_axes(generator, [level.name for level in generator.levels if weights[level.layer]])


class Hessian(AlongAxes):
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
        sensor = sensor_digest(self.sensor)
        return {**super().recipe(), "components": self.components, "sensor": sensor, "codes": self.codes}

    def networks(self) -> tuple[str, ...]:
        """The generator and the sensor."""
        return (*super().networks(), sensor_digest(self.sensor))

    def axes(self, generator: Generator) -> Tensor:
        """Eigenvectors in the subspace, the largest first."""
        import torch

        from ghbench.contrafeat.subspace import principal_axes, turned
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
        vectors = torch.linalg.eigh(total).eigenvectors.flip(1).T.float()
        return turned(vectors @ basis)
