"""What a user names on the command line of edits, as pictures in the encoder's frame."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import UsageError
from ghbench.generators.pictures import pictures_of_seeds, seed_list
from ghbench.ghfeat.codec import Codec, Codes, Pictures
from ghbench.ghfeat.editing.edits import sampled_codes
from ghbench.imaging import alignment, decode

PSI = 0.7


@dataclass(frozen=True)
class EditInput:
    """One picture.

    Args:
        label: What it is called in a grid.
        picture: uint8 [3, R, R].
        seed: Seed and truncation of a generated one, None for a file.
    """

    label: str
    picture: NDArray[np.uint8]
    seed: tuple[int, float] | None = None

    def codes(self, codec: Codec) -> Codes:
        """The true codes of a generated picture, the encoder's of any other, by level [1, width]."""
        if self.seed is None:
            return codec.encode(self.picture[None])
        return sampled_codes(codec, [self.seed[0]], self.seed[1])


def read_inputs(
    codec: Codec, names: Sequence[str], align: str, warn: Callable[[str], None] = lambda _line: None
) -> list[EditInput]:
    """Read pictures.

    Args:
        codec: Says the size, and draws the generated ones.
        names: Picture files, `seed:5`, `seed:0-3,8` or `seed:5@0.5` with a truncation.
        align: Name of the alignment of files; generated pictures are in the generator's frame as they are.
        warn: Told of files in which no face was found.

    Raises:
        UsageError: A seed that is none.
        DataError: A picture cannot be decoded.
        MissingError: The alignment or the generator cannot be had.
    """
    found: list[EditInput] = []
    for name in names:
        found += _generated(codec, name) if name.startswith("seed:") else [_read(codec, name, align, warn)]
    return found


def stacked(inputs: Sequence[EditInput]) -> Pictures:
    """Their pictures, uint8 [N, 3, R, R]."""
    return np.stack([entry.picture for entry in inputs])


def _read(codec: Codec, name: str, align: str, warn: Callable[[str], None]) -> EditInput:
    path = Path(name).expanduser()
    prepared = alignment(align).apply(decode(path), (codec.size, codec.size))
    if prepared.fallback:
        warn(f"no face was found in {name}: a fixed part of the picture stands in for it; try --align none")
    return EditInput(path.stem, prepared.image)


def _generated(codec: Codec, name: str) -> list[EditInput]:
    match = re.fullmatch(r"seed:([\d,\- ]+)(?:@(-?\d*\.?\d+))?", name)
    if match is None:
        raise UsageError(f"{name!r} is no seed", fix="for instance seed:5, seed:0-3,8 or seed:5@0.5")
    seeds, psi = seed_list(match[1]), float(match[2]) if match[2] else PSI
    pictures = pictures_of_seeds(codec.generator, seeds, psi=psi).transpose(0, 3, 1, 2)
    told = "" if match[2] is None else f"\npsi {psi:g}"
    return [
        EditInput(f"seed {seed}{told}", np.ascontiguousarray(picture), (seed, psi))
        for seed, picture in zip(seeds, pictures, strict=True)
    ]
