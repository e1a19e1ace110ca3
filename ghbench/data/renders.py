"""Images that a generator draws for known codes: drawn when asked for, kept in the cache, averaged down in size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.dataset import DatasetCard, Target
from ghbench.errors import UsageError
from ghbench.generator import GeneratorSpec
from ghbench.generators.first_party import FACES
from ghbench.progress import Progress, current, in_bytes
from ghbench.seeds import RANGES, purpose_of

if TYPE_CHECKING:
    from ghbench.generators.rendering import Renderable, RenderShards

CROSSOVERS = 7
"""First row of the second z in mixed codes: 1 to 7, so that MobileStyleGAN's images of 64 px show it too."""
BATCH = 4
SIZE = 128
"""Default side."""


class Renders:
    """Images drawn by a generator, one a seed; satisfies `ghbench.dataset.Dataset` and `Drawn`.

    Ids are `seed-0004000000`. Nothing is drawn before a pixel is asked for, and then only the files of 64 images that
    hold it; whatever interrupts that costs one file. What the seeds are for, see `ghbench.seeds`, names the split and,
    unless it is `test`, the card: `renders-train`, so that weights fitted on training seeds may be judged on others.

    Args:
        generator: Spec string or path of the generator.
        count: Images.
        first: Seed of the first one; the others count up.
        psi: Truncation.
        mixed: Share of images with codes of two z (style mixing), 0 to 1.
        size: Side in pixels, that of the generator halved any number of times; at most the generator's by default.
        label: Class, for a conditional generator.

    Raises:
        UsageError: A wrong option, or seeds of several purposes.
        MissingError: The generator cannot be had on this machine.
    """

    def __init__(
        self,
        generator: str = FACES,
        count: int = 500,
        first: int = RANGES["test"].start,
        psi: float = 1.0,
        mixed: float = 0.0,
        size: int = SIZE,
        label: int | None = None,
    ) -> None:
        from ghbench.generators.loading import generator_plugin
        from ghbench.generators.rendering import RenderRecipe

        self.purpose = purpose_of(first, count)
        if not 0 <= mixed <= 1 or not 0 <= psi <= 2:
            raise UsageError(f"renders with mixed={mixed} and psi={psi}; expected 0 to 1 and 0 to 2")
        self.generator, self.count, self.first = generator, count, first
        spec = generator_plugin(generator).spec()
        size = min(size, spec.size) if size == SIZE and spec.size else size
        self.psi, self.mixed, self.size, self.label = psi, mixed, size, label
        ratio = spec.size // size if size >= 1 else 0
        if ratio * size != spec.size or ratio & (ratio - 1):
            raise UsageError(
                f"renders of {spec.size} px cannot be averaged down to size={size}; halve it, or halves of it"
            )
        self._spec: GeneratorSpec = spec
        self._seeds = range(first, first + count)
        self.recipe = RenderRecipe(
            generator=spec.name,
            weights_digest=spec.weights_digest,
            first_seed=first,
            count=count,
            psi=(psi, psi),
            mixed=mixed,
            crossovers=CROSSOVERS,
            size=size,
            label=label,
        )
        # How many images there are does not change any of them and is no part of it.
        self.recipe_digest: str | None = self.recipe.digest()
        self.ids: Sequence[str] = tuple(f"seed-{seed:010d}" for seed in self._seeds)
        self.targets: Mapping[str, Target] = {}
        self.splits: Mapping[str, NDArray[np.int64]] = {self.purpose: np.arange(count, dtype=np.int64)}

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        return DatasetCard(
            name="renders" if self.purpose == "test" else f"renders-{self.purpose}",
            title=f"Images drawn by {self._spec.name} for seeds from {self.first}",
            licence=self._spec.licence,
            citation=self._spec.citation,
            source=f"drawn on this machine, psi {self.psi:g}, {self.size} px",
            domain="in-generator",
        )

    def __len__(self) -> int:
        return self.count

    def draw(self, rows: Sequence[int], progress: Progress) -> None:
        """Draw what is missing of the files that hold these rows, see `ghbench.dataset.Drawn`."""
        from ghbench.generators.rendering import drawing

        seeds, shards = self._seeds_of(rows), self._shards()
        missing = shards.missing(seeds)
        if not missing:
            return
        label = f"renders of {self._spec.name}"
        progress(0, sum(map(len, missing)), label)  # before the generator is loaded, which takes a while
        generator = self._load()

        def report(done: int, total: int) -> None:
            progress(done, total, label)

        # Not compiled: the same images on every machine that has the same torch, and no compiler needed.
        shards.make(generator, drawing(generator, self.recipe, compiled=False), report, BATCH, seeds)

    def pixels(self, rows: Sequence[int] | None = None) -> NDArray[np.uint8]:
        """Images at once: uint8 [N, 3, size, size]; draws those that are missing.

        Args:
            rows: Rows; None for all.
        """
        chosen = range(self.count) if rows is None else rows
        self.draw(chosen, in_bytes(current(), 3 * self.size**2))
        return self._shards().read(self._seeds_of(chosen))

    def image(self, row: int) -> NDArray[np.uint8]:
        """One image: uint8 [H, W, 3] RGB."""
        return np.ascontiguousarray(self.pixels([row])[0].transpose(1, 2, 0))

    def identities(self) -> Sequence[str]:
        """Digest of each row's seed and of how it is drawn: equal in all sets that draw the image; draws nothing."""
        return self.recipe.identities(self._seeds)

    def image_digests(self) -> Sequence[str]:
        """The same as `identities`: pixels differ in their last bits with the version of torch."""
        return self.identities()

    def codes(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """The true codes of images: W+ float32 [N, rows of W+, w_dim], truncated and mixed as they were drawn."""
        from ghbench.generators.rendering import recipe_codes

        ws = recipe_codes(self.recipe, self._load(), self._seeds_of(rows))
        found: NDArray[np.float32] = ws.cpu().numpy().astype(np.float32)
        return found

    def _seeds_of(self, rows: Sequence[int]) -> list[int]:
        return [self._seeds[row] for row in rows]

    def _shards(self) -> RenderShards:
        from ghbench.generators.rendering import RenderShards

        return RenderShards(self.recipe, locations.cache() / "renders")

    def _load(self) -> Renderable:
        from ghbench.generators.loading import load_generator
        from ghbench.generators.pictures import in_rgb

        return in_rgb(load_generator(self.generator), self.label)
