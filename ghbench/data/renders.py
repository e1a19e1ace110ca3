"""Pictures that a generator drew for known codes: made once into the cache, shard by shard, averaged down in size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.dataset import DatasetCard, Target
from ghbench.errors import UsageError
from ghbench.generator import EVALUATION_SEED, GeneratorSpec
from ghbench.generators.first_party import FACES
from ghbench.imaging import pixel_digest
from ghbench.progress import current

if TYPE_CHECKING:
    from ghbench.generators.rendering import Renderable

CROSSOVERS = 7
"""First row of the second z in mixed codes: 1 to 7, so that MobileStyleGAN's pictures of 64 px show it too."""
BATCH = 4


class Renders:
    """Pictures drawn by a generator, one a seed; satisfies `ghbench.dataset.Dataset`.

    Ids are `seed-0001000000`. Nothing is drawn before the first picture is asked for; then all are, into the cache, and
    whatever interrupts that costs one shard.

    Args:
        generator: Spec string or path of the generator.
        count: Pictures.
        first: Seed of the first one; the others count up.
        psi: Truncation.
        mixed: Share of pictures with codes of two z (style mixing), 0 to 1.
        size: Side in pixels, that of the generator halved any number of times.

    Raises:
        UsageError: A wrong option, or seeds on both sides of 1,000,000.
        MissingError: The generator cannot be had on this machine.
    """

    targets: Mapping[str, Target] = {}

    def __init__(
        self,
        generator: str = FACES,
        count: int = 1_000,
        first: int = EVALUATION_SEED,
        psi: float = 1.0,
        mixed: float = 0.0,
        size: int = 128,
    ) -> None:
        from ghbench.generators.loading import generator_plugin
        from ghbench.generators.rendering import RenderRecipe

        last = first + count - 1
        if count < 1 or first < 0 or last >= 2**32 or first < EVALUATION_SEED <= last:
            raise UsageError(
                f"seeds {first} to {last} of renders: expected at least one, all below {EVALUATION_SEED} or none"
            )
        if not 0 <= mixed <= 1 or not 0 <= psi <= 2:
            raise UsageError(f"renders with mixed={mixed} and psi={psi}; expected 0 to 1 and 0 to 2")
        self.generator, self.count, self.first = generator, count, first
        self.psi, self.mixed, self.size = psi, mixed, size
        spec = generator_plugin(generator).spec()
        ratio = spec.size // size if size >= 1 else 0
        if ratio * size != spec.size or ratio & (ratio - 1):
            raise UsageError(
                f"renders of {spec.size} px cannot be averaged down to size={size}; halve it, or halves of it"
            )
        self._spec: GeneratorSpec = spec
        self.recipe = RenderRecipe(
            generator=spec.name,
            weights_digest=spec.weights_digest,
            first_seed=first,
            count=count,
            psi=(psi, psi),
            mixed=mixed,
            crossovers=CROSSOVERS,
            size=size,
        )
        # How many pictures there are does not change any of them and is no part of it.
        self.recipe_digest: str | None = self.recipe.digest()
        self.ids: Sequence[str] = tuple(f"seed-{seed:010d}" for seed in range(first, last + 1))
        self.splits: Mapping[str, NDArray[np.int64]] = {
            "train" if first < EVALUATION_SEED else "test": np.arange(count, dtype=np.int64)
        }
        self._digests: tuple[str, ...] | None = None

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        return DatasetCard(
            # Two names, so that weights fitted on training seeds may be judged on the others.
            name="renders" if self.first >= EVALUATION_SEED else "renders-train",
            title=f"Pictures drawn by {self._spec.name} for seeds from {self.first}",
            licence=self._spec.licence,
            citation=self._spec.citation,
            source=f"drawn on this machine, psi {self.psi:g}, {self.size} px",
            domain="in-generator",
        )

    def __len__(self) -> int:
        return self.count

    def pixels(self) -> NDArray[np.uint8]:
        """All pictures at once: uint8 [N, 3, size, size]; draws those that are missing."""
        return self._pixels

    def image(self, row: int) -> NDArray[np.uint8]:
        """One picture: uint8 [H, W, 3] RGB."""
        return np.ascontiguousarray(self._pixels[row].transpose(1, 2, 0))

    def identities(self) -> Sequence[str]:
        """What identifies each row's image."""
        return self.image_digests()

    def image_digests(self) -> Sequence[str]:
        """Pixel digest of each row, as of the same picture read from a file."""
        if self._digests is None:
            self._digests = tuple(pixel_digest(self.image(row)) for row in range(self.count))
        return self._digests

    def codes(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """The true codes of pictures: W+ float32 [N, rows of W+, w_dim], truncated and mixed as they were drawn."""
        from ghbench.generators.rendering import recipe_codes

        ws = recipe_codes(self.recipe, self._load(), [self.first + row for row in rows])
        found: NDArray[np.float32] = ws.cpu().numpy().astype(np.float32)
        return found

    @cached_property
    def _pixels(self) -> NDArray[np.uint8]:
        from ghbench.generators.rendering import RenderShards, drawing

        shards = RenderShards(self.recipe, locations.cache() / "renders")
        if shards.missing():
            generator, label = self._load(), f"renders of {self._spec.name}"
            one = 3 * self.size**2
            # Not compiled: the same pictures on every machine that has the same torch, and no compiler needed.
            draw = drawing(generator, self.recipe, compiled=False)
            told = current()
            shards.make(generator, draw, lambda done, total: told(done * one, total * one, label), BATCH)
        pixels = shards.read()
        pixels.flags.writeable = False
        return pixels

    def _load(self) -> Renderable:
        from ghbench.generators.loading import load_generator

        return load_generator(self.generator)
