"""Images that are made by code, in files of some dozens, each whole or absent: whatever interrupts costs one file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench.atomic import write_bytes
from ghbench.errors import DataError
from ghbench.store.arrays_from_files import map_array

Images = NDArray[np.uint8]


class ImageShards:
    """The images of a range of seeds in a folder.

    Args:
        path: The folder, named by all that decides the images.
        seeds: One an image, counting up.
        size: Side of the images.
        shard: Images in a file.
    """

    def __init__(self, path: Path, seeds: range, size: int, shard: int = 64) -> None:
        self.path, self.seeds, self.size, self._shard = path, seeds, size, shard

    def shards(self) -> list[range]:
        """Seeds of each file."""
        end = self.seeds.stop
        return [range(first, min(first + self._shard, end)) for first in range(self.seeds.start, end, self._shard)]

    def missing(self, seeds: Sequence[int] | None = None) -> list[range]:
        """Files that are not there yet or were damaged, of those that hold `seeds`; None: of all."""
        return [shard for shard in self._holding(seeds) if self._read(shard) is None]

    def fill(
        self,
        made: Callable[[range], Iterator[Images]],
        report: Callable[[int, int], None],
        seeds: Sequence[int] | None = None,
    ) -> None:
        """Make the files that are missing.

        Args:
            made: Yields the images of a file's seeds, uint8 [n, 3, size, size], in parts.
            report: Told at once, and after every part, how many of the missing images are there.
            seeds: Only the files that hold these; None: all.
        """
        missing = self.missing(seeds)
        done, total = 0, sum(map(len, missing))
        if missing:
            report(done, total)
        for shard in missing:
            parts = []
            for images in made(shard):
                parts.append(images)
                done += len(images)
                report(done, total)
            stream = io.BytesIO()
            np.save(stream, np.concatenate(parts), allow_pickle=False)
            write_bytes(self._file(shard), stream.getvalue())

    def read(self, seeds: Sequence[int] | None = None) -> Images:
        """Images of seeds, uint8 [N, 3, size, size], in their order; None: of all. Reads nothing else.

        Raises:
            FileNotFoundError: Some are not made yet.
        """
        wanted = np.asarray(self.seeds if seeds is None else seeds, dtype=np.int64)
        images = np.empty((len(wanted), 3, self.size, self.size), dtype=np.uint8)
        for shard in self._holding(seeds):
            kept = self._read(shard)
            if kept is None:
                raise FileNotFoundError(f"images {shard.start} to {shard.stop - 1} are not made in {self.path}")
            here = (wanted >= shard.start) & (wanted < shard.stop)
            images[here] = kept[wanted[here] - shard.start]
        return images

    def _holding(self, seeds: Sequence[int] | None) -> list[range]:
        """Files that hold seeds."""
        shards = self.shards()
        if seeds is None:
            return shards
        outside = [seed for seed in seeds if seed not in self.seeds]
        if outside:
            raise IndexError(f"seed {outside[0]} is not among the {len(self.seeds)} from {self.seeds.start} up")
        return [shards[number] for number in sorted({(seed - self.seeds.start) // self._shard for seed in seeds})]

    def _file(self, seeds: range) -> Path:
        return self.path / f"{seeds.start:09d}-{len(seeds):04d}.npy"

    def _read(self, seeds: range) -> Images | None:
        """A file, memory-mapped: who wants one image reads one; None if it is absent or damaged."""
        try:
            images: Images = map_array(self._file(seeds))
        except DataError:
            return None
        return images if images.shape == (len(seeds), 3, self.size, self.size) and images.dtype == np.uint8 else None
