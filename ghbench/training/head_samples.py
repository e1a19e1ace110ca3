"""Training samples for the heads of a short MobileStyleGAN: pixels of features and of images at the same places.

They are sampled once from all renders, in shards that survive a kill, so that fitting takes minutes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ghbench.atomic import write_bytes
from ghbench.digests import digest_json
from ghbench.errors import DataError
from ghbench.generators.haar import haar_analysis
from ghbench.generators.mobile_stylegan import MobileStyleGAN
from ghbench.generators.rendering import RenderShards, area_average, from_uint8, recipe_codes
from ghbench.store.arrays_from_files import read_arrays

VERSION = 1
BATCH = 16


def feeding_level(size: int) -> str:
    """The level whose features are the input of the head for that image size."""
    return f"r{size // 2}.conv"


def style_row(size: int) -> int:
    """The row of W+ that modulates the head for that image size."""
    return 2 * (size.bit_length() - 4) + 1


class HeadSamples:
    """Sampled pixels of features and images.

    Args:
        renders: Finished renders, at least as large as the largest size.
        sizes: Image sizes of the heads.
        pixels: Pixels sampled from an image for each head, at random places.
    """

    def __init__(self, renders: RenderShards, sizes: tuple[int, ...], pixels: int) -> None:
        self.renders, self.sizes, self.pixels = renders, sizes, pixels
        name = digest_json([renders.recipe.digest(), sizes, pixels, VERSION])[:16]
        self.path = renders.path.with_name(f"samples-{name}")

    def make(
        self,
        generator: MobileStyleGAN,
        trunk: Callable[[Tensor], Mapping[str, Tensor]],
        report: Callable[[int, int], None],
    ) -> None:
        """Sample what is missing.

        Args:
            generator: The short network of the largest size.
            trunk: Maps W+ [16, rows, w_dim] to the heads' input features, by level.
            report: Called with the number of images done and in total.
        """
        shards = self.renders.shards()
        images = self.renders.read()
        for seeds in shards:
            first = seeds.start - self.renders.recipe.first_seed
            if self._read(seeds) is None:
                arrays = self._samples(generator, trunk, seeds, images[first : first + len(seeds)])
                stream = io.BytesIO()
                np.savez(stream, allow_pickle=False, **arrays)
                write_bytes(self._file(seeds), stream.getvalue())
            report(first + len(seeds), self.renders.recipe.count)

    def read(self) -> dict[str, Tensor]:
        """All samples of N images, in the order of their seeds.

        Returns:
            `features64` float16 [N, pixels, C], `bands64` float32 [N, pixels, 12], `w64` float32 [N, w_dim], and so on
            for each size.

        Raises:
            FileNotFoundError: Some are missing.
        """
        shards = []
        for seeds in self.renders.shards():
            arrays = self._read(seeds)
            if arrays is None:
                raise FileNotFoundError(f"no samples of images {seeds.start} to {seeds.stop - 1} in {self.path}")
            shards.append(arrays)
        return {name: torch.from_numpy(np.concatenate([shard[name] for shard in shards])) for name in shards[0]}

    @torch.no_grad()
    def _samples(
        self,
        generator: MobileStyleGAN,
        trunk: Callable[[Tensor], Mapping[str, Tensor]],
        seeds: range,
        images: NDArray[np.uint8],
    ) -> dict[str, NDArray[np.generic]]:
        parts: dict[str, list[Tensor]] = {}
        device = generator.w_mean.device
        for start in range(0, len(seeds), BATCH):
            wanted = [*seeds[start : start + BATCH]]
            filled = wanted + wanted[-1:] * (BATCH - len(wanted))
            ws = recipe_codes(self.renders.recipe, generator, filled)
            features = trunk(ws)
            targets = from_uint8(images[start : start + len(wanted)]).to(device)
            for size in self.sizes:
                bands = _pixels(haar_analysis(area_average(targets, size)))
                places = torch.from_numpy(self._places(wanted, bands.shape[1], size)).to(device)[..., None]
                level = _pixels(features[feeding_level(size)])[: len(wanted)]
                parts.setdefault(f"features{size}", []).append(
                    level.gather(1, places.expand(-1, -1, level.shape[2])).half()
                )
                parts.setdefault(f"bands{size}", []).append(bands.gather(1, places.expand(-1, -1, bands.shape[2])))
                parts.setdefault(f"w{size}", []).append(ws[: len(wanted), style_row(size)])
        return {name: torch.cat(part).cpu().numpy() for name, part in parts.items()}

    def _places(self, seeds: list[int], count: int, size: int) -> NDArray[np.int64]:
        draws = (np.random.default_rng([seed, 2, size]) for seed in seeds)
        return np.stack([np.sort(rng.choice(count, self.pixels, replace=False)) for rng in draws])

    def _file(self, seeds: range) -> Path:
        return self.path / f"{seeds.start:09d}-{len(seeds):04d}.npz"

    def _read(self, seeds: range) -> dict[str, NDArray[np.generic]] | None:
        try:
            return {**read_arrays(self._file(seeds))}
        except DataError:
            return None


def _pixels(features: Tensor) -> Tensor:
    """[N, C, H, W] as [N, H W, C]."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)
