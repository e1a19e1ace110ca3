"""Images of a generator as a dataset: which codes a recipe draws, and their renders in shards that survive a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ghbench.digests import digest_json, digest_lines
from ghbench.store.image_shards import ImageShards

VERSION = 1
"""Grows when the same recipe may give other images."""


class Renderable(Protocol):
    """The part of a generator that renders need."""

    @property
    def z_dim(self) -> int:
        """Numbers of z."""
        ...

    def mapping(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Map z [N, z_dim] to W+ [N, rows, w_dim], truncated."""
        ...

    def synthesis(self, ws: Tensor) -> Tensor:
        """Make images [N, 3, R, R] from W+."""
        ...


@dataclass(frozen=True, slots=True)
class RenderRecipe:
    """All that decides which images a set of renders has.

    Args:
        generator: Name of the generator.
        weights_digest: Of its weights.
        first_seed: Seed of the first image; the others count up.
        count: Images.
        psi: Truncation is uniform between these.
        mixed: Share of images whose finer rows of W+ come from a second z (style mixing).
        crossovers: First row of the second z is uniform from 1 up to and with this.
        size: Side of the images, after averaging over squares of pixels.
        precision: In which the network runs: `float32` or `bfloat16`.
        shard: Images in a file.
        label: Class, for a conditional generator.
    """

    generator: str
    weights_digest: str
    first_seed: int
    count: int
    psi: tuple[float, float] = (0.5, 1.0)
    mixed: float = 0.0
    crossovers: int = 1
    size: int = 256
    precision: str = "float32"
    shard: int = 64
    label: int | None = None

    def digest(self) -> str:
        """Identity of the images; how many there are does not change any of them."""
        return digest_json({**self._fixed_parts("count"), "version": VERSION})

    def identities(self, seeds: Iterable[int]) -> tuple[str, ...]:
        """Identity of the image of each seed: in every set that draws it in the same way the same."""
        way = digest_json({**self._fixed_parts("first_seed", "count", "shard"), "version": VERSION})
        return tuple(digest_lines([way, str(seed)]) for seed in seeds)

    def _fixed_parts(self, *apart: str) -> dict[str, Any]:
        """The fields that decide an image; no label, as before there were any."""
        values = {key: value for key, value in asdict(self).items() if key not in apart}
        return values if self.label is not None else {key: value for key, value in values.items() if key != "label"}


def seeded_z(seeds: Sequence[int], z_dim: int) -> Tensor:
    """The z of each seed [N, z_dim], float32: the one that the official StyleGAN programs draw for it."""
    # Their generator of random numbers is frozen, so that a seed stands for the same image for ever.
    drawn = [np.random.RandomState(seed).randn(z_dim) for seed in seeds]
    return torch.from_numpy(np.asarray(drawn, dtype=np.float32).reshape(len(drawn), z_dim))


@torch.no_grad()
def recipe_codes(recipe: RenderRecipe, generator: Renderable, seeds: Sequence[int]) -> Tensor:
    """W+ of seeds under a recipe; each depends on its own seed only.

    Args:
        recipe: Truncation and mixing.
        generator: Whose mapping is used.
        seeds: Numbers of images.

    Returns:
        [N, rows, w_dim], where the mapping's weights are.
    """
    draws = [np.random.default_rng([seed, 1]) for seed in seeds]
    psi = torch.tensor([rng.uniform(*recipe.psi) for rng in draws], dtype=torch.float32)
    crossover = torch.tensor(
        [int(rng.integers(1, recipe.crossovers + 1)) if rng.random() < recipe.mixed else -1 for rng in draws]
    )
    other = torch.from_numpy(
        np.asarray([rng.standard_normal(generator.z_dim) for rng in draws], np.float32).reshape(-1, generator.z_dim)
    )
    one, two = generator.mapping(seeded_z(seeds, generator.z_dim)), generator.mapping(other)
    rows = torch.arange(one.shape[1], device=one.device)
    first = crossover.to(one.device)[:, None]
    ws = torch.where(((first > 0) & (rows >= first))[..., None], two, one)
    mean = generator.mapping(torch.zeros_like(other[:1]), 0.0)
    return mean + psi.to(ws)[:, None, None] * (ws - mean)


def to_uint8(images: Tensor) -> NDArray[np.uint8]:
    """Images [N, C, H, W] in [-1, 1], clipped, as uint8 of the same shape."""
    scaled = (images.float().clamp(-1, 1) + 1) * 127.5
    return scaled.round().to(torch.uint8).contiguous().cpu().numpy()


def from_uint8(images: NDArray[np.uint8]) -> Tensor:
    """The inverse of `to_uint8`, float32."""
    return torch.from_numpy(images).float() / 127.5 - 1


def area_average(images: Tensor, size: int) -> Tensor:
    """Images [N, C, H, H] averaged over squares to [N, C, size, size]."""
    return functional.avg_pool2d(images, images.shape[-1] // size)


def drawing(generator: Renderable, recipe: RenderRecipe, *, compiled: bool) -> Callable[[Tensor], Tensor]:
    """The synthesis of a generator in the recipe's precision, without gradients.

    Args:
        generator: One that makes the recipe's images or larger ones.
        recipe: Says the precision.
        compiled: Whether to compile it, which takes a while and pays from some hundred images on.
    """
    synthesis = torch.compile(generator.synthesis, fullgraph=True, dynamic=False) if compiled else generator.synthesis

    @torch.no_grad()
    def draw(ws: Tensor) -> Tensor:
        with torch.autocast(ws.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            return synthesis(ws)

    return draw


class RenderShards(ImageShards):
    """The images of a recipe in a folder.

    Args:
        recipe: Which images.
        folder: Where; the recipe's digest is part of the name below it.
    """

    def __init__(self, recipe: RenderRecipe, folder: Path) -> None:
        self.recipe = recipe
        seeds = range(recipe.first_seed, recipe.first_seed + recipe.count)
        super().__init__(folder / f"renders-{recipe.digest()[:16]}", seeds, recipe.size, recipe.shard)

    def make(
        self,
        generator: Renderable,
        draw: Callable[[Tensor], Tensor],
        report: Callable[[int, int], None],
        batch: int,
        seeds: Sequence[int] | None = None,
    ) -> None:
        """Render the shards that are missing.

        Args:
            generator: Whose mapping gives the codes.
            draw: Makes images [N, 3, R, R] from W+ [N, rows, w_dim], in the recipe's precision; always called with
                `batch` of them, as a compiled function wants it.
            report: Told at once, and after every batch, how many of the missing images are drawn.
            batch: Images at once.
            seeds: Only the shards that hold these; None: all.
        """
        self.fill(lambda shard: self._drawn(generator, draw, shard, batch), report, seeds)

    def _drawn(
        self, generator: Renderable, draw: Callable[[Tensor], Tensor], seeds: range, batch: int
    ) -> Iterator[NDArray[np.uint8]]:
        for first in range(seeds.start, seeds.stop, batch):
            wanted = [*range(first, min(first + batch, seeds.stop))]
            filled = wanted + wanted[-1:] * (batch - len(wanted))
            images = draw(recipe_codes(self.recipe, generator, filled))[: len(wanted)]
            yield to_uint8(area_average(images, self.recipe.size))
