"""Pictures of a generator as a dataset: which codes a recipe draws, and their renders in shards that survive a kill."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ghbench.atomic import write_bytes
from ghbench.digests import digest_json

VERSION = 1
"""Grows when the same recipe may give other pictures."""


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
        """Make pictures [N, 3, R, R] from W+."""
        ...


@dataclass(frozen=True, slots=True)
class RenderRecipe:
    """All that decides which pictures a set of renders has.

    Args:
        generator: Name of the generator.
        weights_digest: Of its weights.
        first_seed: Seed of the first picture; the others count up.
        count: Pictures.
        psi: Truncation is uniform between these.
        mixed: Share of pictures whose finer rows of W+ come from a second z (style mixing).
        crossovers: First row of the second z is uniform from 1 up to and with this.
        size: Side of the pictures, after averaging over squares of pixels.
        precision: In which the network runs: `float32` or `bfloat16`.
        shard: Pictures in a file.
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

    def digest(self) -> str:
        """Identity of the pictures; how many there are does not change any of them."""
        fixed = {key: value for key, value in asdict(self).items() if key != "count"}
        return digest_json({**fixed, "version": VERSION})

    def shards(self) -> list[range]:
        """Seeds of each shard."""
        end = self.first_seed + self.count
        return [range(first, min(first + self.shard, end)) for first in range(self.first_seed, end, self.shard)]


def seeded_z(seeds: Sequence[int], z_dim: int) -> Tensor:
    """The z of each seed [N, z_dim], float32: the one that the official StyleGAN programs draw for it."""
    # Their generator of random numbers is frozen, so that a seed stands for the same picture for ever.
    drawn = [np.random.RandomState(seed).randn(z_dim) for seed in seeds]
    return torch.from_numpy(np.asarray(drawn, dtype=np.float32).reshape(len(drawn), z_dim))


@torch.no_grad()
def recipe_codes(recipe: RenderRecipe, generator: Renderable, seeds: Sequence[int]) -> Tensor:
    """W+ of seeds under a recipe; each depends on its own seed only.

    Args:
        recipe: Truncation and mixing.
        generator: Whose mapping is used.
        seeds: Numbers of pictures.

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


def to_uint8(pictures: Tensor) -> NDArray[np.uint8]:
    """Pictures [N, C, H, W] in [-1, 1], clipped, as uint8 of the same shape."""
    scaled = (pictures.float().clamp(-1, 1) + 1) * 127.5
    return scaled.round().to(torch.uint8).contiguous().cpu().numpy()


def from_uint8(pictures: NDArray[np.uint8]) -> Tensor:
    """The inverse of `to_uint8`, float32."""
    return torch.from_numpy(pictures).float() / 127.5 - 1


def area_average(pictures: Tensor, size: int) -> Tensor:
    """Pictures [N, C, H, H] averaged over squares to [N, C, size, size]."""
    return functional.avg_pool2d(pictures, pictures.shape[-1] // size)


def drawing(generator: Renderable, recipe: RenderRecipe, *, compiled: bool) -> Callable[[Tensor], Tensor]:
    """The synthesis of a generator in the recipe's precision, without gradients.

    Args:
        generator: One that makes the recipe's pictures or larger ones.
        recipe: Says the precision.
        compiled: Whether to compile it, which takes a while and pays from some hundred pictures on.
    """
    synthesis = torch.compile(generator.synthesis, fullgraph=True, dynamic=False) if compiled else generator.synthesis

    @torch.no_grad()
    def draw(ws: Tensor) -> Tensor:
        with torch.autocast(ws.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            return synthesis(ws)

    return draw


class RenderShards:
    """The pictures of a recipe in a folder, one file a shard, each whole or absent.

    Args:
        recipe: Which pictures.
        folder: Where; the recipe's digest is part of the name below it.
    """

    def __init__(self, recipe: RenderRecipe, folder: Path) -> None:
        self.recipe = recipe
        self.path = folder / f"renders-{recipe.digest()[:16]}"

    def missing(self) -> list[range]:
        """Seeds of the shards that are not there yet or were damaged."""
        return [seeds for seeds in self.recipe.shards() if self._read(seeds) is None]

    def make(
        self, generator: Renderable, draw: Callable[[Tensor], Tensor], report: Callable[[int, int], None], batch: int
    ) -> None:
        """Render what is missing.

        Args:
            generator: Whose mapping gives the codes.
            draw: Makes pictures [N, 3, R, R] from W+ [N, rows, w_dim], in the recipe's precision; always called with
                `batch` of them, as a compiled function wants it.
            report: Told how many pictures are there and how many there shall be.
            batch: Pictures at once.
        """
        missing = self.missing()
        done = self.recipe.count - sum(map(len, missing))
        for seeds in missing:
            pictures = np.concatenate(list(self._drawn(generator, draw, seeds, batch)))
            stream = io.BytesIO()
            np.save(stream, pictures, allow_pickle=False)
            write_bytes(self._file(seeds), stream.getvalue())
            done += len(seeds)
            report(done, self.recipe.count)

    def read(self) -> NDArray[np.uint8]:
        """All pictures, uint8 [count, 3, size, size], in the order of their seeds.

        Raises:
            FileNotFoundError: Some are not rendered yet.
        """
        shards = []
        for seeds in self.recipe.shards():
            pictures = self._read(seeds)
            if pictures is None:
                raise FileNotFoundError(f"pictures {seeds.start} to {seeds.stop - 1} are not rendered in {self.path}")
            shards.append(pictures)
        return np.concatenate(shards)

    def _drawn(
        self, generator: Renderable, draw: Callable[[Tensor], Tensor], seeds: range, batch: int
    ) -> Iterator[NDArray[np.uint8]]:
        for first in range(seeds.start, seeds.stop, batch):
            wanted = [*range(first, min(first + batch, seeds.stop))]
            filled = wanted + wanted[-1:] * (batch - len(wanted))
            pictures = draw(recipe_codes(self.recipe, generator, filled))[: len(wanted)]
            yield to_uint8(area_average(pictures, self.recipe.size))

    def _file(self, seeds: range) -> Path:
        return self.path / f"{seeds.start:09d}-{len(seeds):04d}.npy"

    def _read(self, seeds: range) -> NDArray[np.uint8] | None:
        try:
            pictures: NDArray[np.uint8] = np.load(self._file(seeds), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        size = self.recipe.size
        return pictures if pictures.shape == (len(seeds), 3, size, size) and pictures.dtype == np.uint8 else None
