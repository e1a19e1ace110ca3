"""What closed forms have in common: K directions of a generator's W+, computed when asked for."""

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
    from ghbench.generator import GeneratorSpec
    from ghbench.generators.protocol import Generator

STEP, PART = 0.02, 20
"""Step of differences, as a share of the largest standard deviation of w; images at once."""
FACES = SpecString("mobile-stylegan-ffhq", options={"size": "64"})


class ClosedForm(ABC):
    """K directions in W+; in each row a direction has the norm sqrt(D) times the row's share, and shares add to 1.

    Args:
        generator: Spec string of a generator.
        directions: Number of directions.
        rows: What rows they act in; empty for all that the generator shares with its whole network, if it is only its
            first layers.

    Raises:
        UsageError: No directions.
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
    def moves(self, generator: Generator) -> NDArray[np.floating[Any]]:
        """The directions [K, L, D].

        Raises:
            UsageError: See `directions`.
        """

    def shared_rows(self, generator: Generator) -> int:
        """Rows of the generator that its whole network has too, the first ones."""
        from ghbench.generators.loading import shared_rows

        return shared_rows(generator, str(self.generator))

    @cached_property
    def _generator_spec(self) -> GeneratorSpec:
        from ghbench.generators.loading import generator_plugin

        return generator_plugin(str(self.generator)).spec()

    @cached_property
    def _directions(self) -> NDArray[np.float32]:
        from ghbench.generators.loading import load_generator

        return np.asarray(self.moves(load_generator(str(self.generator))), np.float32)


def sensor_digest(sensor: str) -> str:
    """Digest of the weights of an extractor that serves as sensor."""
    return str(registry.build("extractor", sensor).spec().weights_digest)


def rows_of(generator: Generator) -> int:
    """Rows of a generator's W+."""
    return max(level.layer for level in generator.levels) + 1
