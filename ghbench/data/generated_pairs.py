"""Pairs of images that a generator draws for a code moved back and forth along one direction of a navigator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import locations, registry
from ghbench.data.drawn_by_code import DrawnByCode
from ghbench.dataset import DatasetCard, Target
from ghbench.digests import digest_json
from ghbench.errors import UsageError
from ghbench.extractor import Navigator, NavigatorSpec
from ghbench.progress import current, in_bytes
from ghbench.seeds import seeds_for
from ghbench.spec_string import SpecString
from ghbench.store.image_shards import ImageShards

VERSION, BATCH, LARGEST = 1, 16, 128
"""Grows when a seed may give another pair; pairs drawn at once; side of the largest images."""


class GeneratedPairs(DrawnByCode):
    """Pair i are rows 2i and 2i + 1: a training seed's code less and plus `scale` times a direction drawn at random.

    Ids are `seed-0000000000/minus` and `/plus`. Target `changed`: int64 [2N], the direction's number.

    Args:
        navigator: Spec string of a navigator with directions in W+.
        generator: Spec string of the generator; by default the one that the navigator names.
        count: Pairs.
        scale: How far codes are moved.
        psi: Truncation.

    Raises:
        UsageError: No pairs, or the directions are not in W+.
        MissingError: Navigator or generator cannot be had on this machine.
    """

    drawing = "generated pairs"

    def __init__(
        self, navigator: SpecString, generator: str = "", count: int = 20_000, scale: float = 1.0, psi: float = 1.0
    ) -> None:
        built: Any = registry.build("extractor", navigator)
        spec = built.spec()
        if not isinstance(built, Navigator) or not isinstance(spec, NavigatorSpec) or spec.space != "w_plus":
            raise UsageError(f"{navigator} has no directions in w_plus")
        if count < 1 or scale <= 0:
            raise UsageError(f"count={count}, scale={scale}; expected a pair, and a positive scale")
        from ghbench.generators.loading import generator_plugin, recorded_generator
        from ghbench.generators.navigated import whole_of

        self._navigator, self._spec, self.scale, self.psi = built, spec, scale, psi
        if not generator:
            whole_of(spec)  # its weights are those that the navigator was made for
        self._generator = generator_plugin(generator) if generator else recorded_generator(spec.generator)
        self._drawn_by = self._generator.spec()
        if self._drawn_by.size > LARGEST:
            raise UsageError(
                f"pairs of {self._drawn_by.size} px; expected {LARGEST} at most", fix="generator=NAME:size=64"
            )
        self._seeds = seeds_for("train", count)
        self.ids: Sequence[str] = tuple(f"seed-{seed:010d}/{end}" for seed in self._seeds for end in ("minus", "plus"))
        self.splits: Mapping[str, NDArray[np.int64]] = {}
        self.networks = (self._drawn_by.weights_digest, spec.weights_digest)
        self.recipe_digest: str | None = digest_json({
            "generator": self._drawn_by.weights_digest, "directions": spec.directions_digest, "scale": scale,
            "psi": psi, "version": VERSION,
        })  # fmt: skip

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        return DatasetCard(
            name="generated-pairs",
            title=f"Pairs of {self._drawn_by.name} along directions of {self._spec.name}",
            licence=self._drawn_by.licence,
            citation=self._spec.citation or self._drawn_by.citation,
            source=f"drawn on this machine, psi {self.psi:g}, scale {self.scale:g}, {self._drawn_by.size} px",
            domain="in-generator",
        )

    @cached_property
    def targets(self) -> Mapping[str, Target]:
        """The direction of each pair, for both of its images."""
        changed = np.repeat([self._number(seed) for seed in self._seeds], 2)
        return {"changed": Target("changed", np.asarray(changed, np.int64), "number of the direction")}

    def pixels(self) -> NDArray[np.uint8]:
        """All images at once: uint8 [2N, R, R, 3]; draws those that are missing."""
        rows = range(len(self))
        self.draw(rows, in_bytes(current(), 3 * self._drawn_by.size**2))
        return np.ascontiguousarray(self._shards.read(rows).transpose(0, 2, 3, 1))

    def _number(self, seed: int) -> int:
        return int(np.random.default_rng([seed, VERSION]).integers(self._count))

    @cached_property
    def _count(self) -> int:
        """Number of directions."""
        from ghbench.generators.loading import load_generator

        network = load_generator(self._generator)
        mean = network.mapping(network.w_mean.new_zeros(1, network.z_dim), 0.0).detach().cpu().numpy()
        return int(np.shape(self._navigator.directions(mean))[1])

    @cached_property
    def _shards(self) -> ImageShards:
        folder = locations.cache() / "renders" / f"pairs-{self.recipe_digest}"
        return ImageShards(folder, range(len(self)), self._drawn_by.size, shard=256)

    def _drawn(self, rows: range) -> Iterator[NDArray[np.uint8]]:
        import torch

        from ghbench.generators.loading import load_generator
        from ghbench.generators.pictures import in_rgb
        from ghbench.generators.rendering import seeded_z, to_uint8

        network: Any = in_rgb(load_generator(self._generator))
        for start in range(rows.start, rows.stop, 2 * BATCH):
            part = range(start, min(start + 2 * BATCH, rows.stop))
            seeds = [self._seeds[row // 2] for row in part]
            with torch.no_grad():
                ws = network.mapping(seeded_z(seeds, network.z_dim), self.psi)
                moves = np.asarray(self._navigator.directions(ws.numpy()), np.float32)
                chosen = moves[np.arange(len(part)), [self._number(seed) for seed in seeds]]
                signs = np.array([(-1.0, 1.0)[row % 2] for row in part], np.float32)
                ws = ws + self.scale * torch.from_numpy(signs[:, None, None] * chosen)
                yield to_uint8(network.synthesis(ws))
