"""Pairs of sprites that differ in one true factor: the ceiling of what pairs of generated images can teach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ghbench.data.sprites import FACTORS, VERSION, Sprites, drawn, factors_of
from ghbench.dataset import DatasetCard, Target
from ghbench.digests import digest_json, digest_lines
from ghbench.errors import UsageError
from ghbench.seeds import seeds_for


class SpritePairs:
    """Pair i are rows 2i and 2i + 1: the sprite of a training seed, and itself with another value of one factor.

    Ids are `seed-0000000/one` and `/other`. Target `changed`: int64 [2N], the factor's number.

    Args:
        count: Pairs.

    Raises:
        UsageError: No pairs.
    """

    def __init__(self, count: int = 20_000) -> None:
        if count < 1:
            raise UsageError(f"count={count}; expected a pair")
        self._seeds = seeds_for("train", count)
        self.ids: Sequence[str] = tuple(f"seed-{seed:07d}/{end}" for seed in self._seeds for end in ("one", "other"))
        self.splits: Mapping[str, NDArray[np.int64]] = {}
        self.recipe_digest: str | None = digest_json({"sprite pairs": 1, "sprites": VERSION})

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        card = Sprites(train=1, test=0).card()
        return DatasetCard(
            name="sprite-pairs", title="Pairs of sprites that differ in one factor", licence=card.licence,
            citation=card.citation, source=card.source, domain=card.domain,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def targets(self) -> Mapping[str, Target]:
        """Factors of each image, and the factor in which its pair differs."""
        changed = np.repeat([self._other(seed)[1] for seed in self._seeds], 2)
        factors = np.stack([self._factors(row) for row in range(len(self))])
        return {
            "changed": Target("changed", np.asarray(changed, np.int64), "number of the factor", tuple(FACTORS)),
            "factors": Target("factors", factors, "numbers of values", tuple(FACTORS)),
        }

    def pixels(self) -> NDArray[np.uint8]:
        """All images at once: uint8 [2N, 64, 64, 3]."""
        return np.stack([self.image(row) for row in range(len(self))])

    def image(self, row: int) -> NDArray[np.uint8]:
        """One image: uint8 [64, 64, 3]."""
        return drawn(self._factors(row))

    def identities(self) -> Sequence[str]:
        """Digest of each image's factors."""
        own = str(Sprites(train=1, test=0).recipe_digest)
        return tuple(digest_lines([own, *map(str, self._factors(row))]) for row in range(len(self)))

    def image_digests(self) -> Sequence[str]:
        """The same as `identities`."""
        return self.identities()

    def _factors(self, row: int) -> NDArray[np.int64]:
        seed = self._seeds[row // 2]
        return self._other(seed)[0] if row % 2 else factors_of(seed)

    @staticmethod
    def _other(seed: int) -> tuple[NDArray[np.int64], int]:
        """Factors of the second image, and which of them is another."""
        rng = np.random.default_rng([seed, VERSION, 1])
        factors, which = factors_of(seed), int(rng.integers(len(FACTORS)))
        count = list(FACTORS.values())[which]
        factors[which] = (factors[which] + rng.integers(1, count)) % count
        return factors, which
