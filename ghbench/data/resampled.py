"""Generated pictures with one row of their code drawn anew: exact interventions at each level of a generator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.data.drawn_by_code import DrawnByCode
from ghbench.dataset import DatasetCard, Target
from ghbench.digests import digest_json
from ghbench.errors import UsageError
from ghbench.generators.first_party import FACES
from ghbench.seeds import RANGES
from ghbench.store.image_shards import ImageShards

if TYPE_CHECKING:
    from ghbench.generators.protocol import Generator

DONORS = 500_000
"""Distance from the seed of a picture to that of the code whose rows it borrows."""
BATCH = 11


class Resampled(DrawnByCode):
    """Pictures of test seeds, each followed by itself with one row of W+ from another code, row by row.

    Ids are `seed-0004000000/whole`, `seed-0004000000/row-0`, ... Targets are `picture`, the number of the picture, and
    `row`, -1 for the whole one.

    Args:
        count: Pictures.
        generator: Spec string of the generator.
        psi: Truncation.

    Raises:
        UsageError: No pictures, or too many.
        MissingError: The generator cannot be had on this machine.
    """

    drawing = "interventions"

    def __init__(self, count: int = 450, generator: str = f"{FACES}:size=128", psi: float = 0.7) -> None:
        if not 2 <= count <= DONORS:
            raise UsageError(f"count={count}; expected 2 to {DONORS:,} pictures")
        from ghbench.generators.loading import generator_plugin

        self.generator, self.count, self.psi = generator, count, psi
        self._spec = generator_plugin(generator).spec()
        self._seeds = range(RANGES["test"].start, RANGES["test"].start + count)
        self.rows = max(level.layer for level in self._load().levels) + 1
        rows = range(-1, self.rows)
        self.ids: Sequence[str] = tuple(
            f"seed-{seed:010d}/{'whole' if row < 0 else f'row-{row}'}" for seed in self._seeds for row in rows
        )
        self.splits: Mapping[str, NDArray[np.int64]] = {}
        picture = np.repeat(np.arange(count), len(rows))
        self.targets: Mapping[str, Target] = {
            "picture": Target("picture", picture, "number of the picture"),
            "row": Target("row", np.tile(np.array(rows), count), "row of W+"),
        }
        self.recipe_digest: str | None = digest_json(
            {"weights": self._spec.weights_digest, "psi": psi, "donors": DONORS, "version": 1}
        )

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        return DatasetCard(
            name="resampled",
            title=f"Pictures of {self._spec.name}, one row of the code drawn anew",
            licence=self._spec.licence,
            citation=self._spec.citation,
            source=f"drawn on this machine, psi {self.psi:g}, {self._spec.size} px",
            domain="in-generator",
        )

    def _load(self) -> Generator:
        from ghbench.generators.loading import load_generator
        from ghbench.generators.pictures import in_rgb

        return in_rgb(load_generator(self.generator))

    @cached_property
    def _shards(self) -> ImageShards:
        folder = locations.cache() / "renders" / f"resampled-{self.recipe_digest}"
        return ImageShards(folder, range(len(self)), self._spec.size)

    def _drawn(self, numbers: range) -> Iterator[NDArray[np.uint8]]:
        import torch

        from ghbench.generators.rendering import seeded_z, to_uint8

        network: Any = self._load()
        each = self.rows + 1
        for start in range(numbers.start, numbers.stop, BATCH):
            part = range(start, min(start + BATCH, numbers.stop))
            seeds = [self._seeds[number // each] for number in part]
            with torch.no_grad():
                ws, donors = (
                    network.mapping(seeded_z(drawn, network.z_dim), self.psi)
                    for drawn in (seeds, [seed + DONORS for seed in seeds])
                )
                for place, number in enumerate(part):
                    row = number % each - 1
                    if row >= 0:
                        ws[place, row] = donors[place, row]
                yield to_uint8(network.synthesis(ws))
