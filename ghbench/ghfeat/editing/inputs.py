"""Reads the inputs of edits: image files and generated images, in the encoder's frame."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import UsageError
from ghbench.files import user_path
from ghbench.generators.pictures import pictures_of_seeds, seed_list
from ghbench.ghfeat.codec import Codec, Codes, Images
from ghbench.ghfeat.editing.edits import sampled_codes
from ghbench.imaging import alignment, decode

PSI = 0.7


@dataclass(frozen=True)
class EditInput:
    """One image.

    Args:
        label: Its label in a grid.
        image: uint8 [3, R, R].
        seed: Seed and truncation of a generated image, None for a file.
    """

    label: str
    image: NDArray[np.uint8]
    seed: tuple[int, float] | None = None

    def codes(self, codec: Codec) -> Codes:
        """The true codes of a generated image, else the encoder's, by level [1, width]."""
        if self.seed is None:
            return codec.encode(self.image[None])
        return sampled_codes(codec, [self.seed[0]], self.seed[1])


def read_inputs(
    codec: Codec, names: Sequence[str], align: str, warn: Callable[[str], None] = lambda _line: None
) -> list[EditInput]:
    """Read images.

    Args:
        codec: Sets the image size, and draws generated images.
        names: Image files, `seed:5`, `seed:0-3,8` or `seed:5@0.5` with a truncation.
        align: Name of the alignment of files; generated images are already in the generator's frame.
        warn: Called with a message for each file in which no face was found.

    Raises:
        UsageError: An invalid seed.
        DataError: An image cannot be decoded.
        MissingError: The alignment or the generator is not available.
    """
    found: list[EditInput] = []
    for name in names:
        found += _draw(codec, name) if name.startswith("seed:") else [_read(codec, name, align, warn)]
    return found


def stack_images(inputs: Sequence[EditInput]) -> Images:
    """Images of the inputs, uint8 [N, 3, R, R]."""
    return np.stack([entry.image for entry in inputs])


def _read(codec: Codec, name: str, align: str, warn: Callable[[str], None]) -> EditInput:
    path = user_path(name)
    prepared = alignment(align).apply(decode(path), (codec.size, codec.size))
    if prepared.fallback:
        warn(f"no face found in {name}; using a fixed crop instead; try --align none")
    return EditInput(path.stem, prepared.image)


def _draw(codec: Codec, name: str) -> list[EditInput]:
    match = re.fullmatch(r"seed:([\d,\- ]+)(?:@(-?\d*\.?\d+))?", name)
    if match is None:
        raise UsageError(f"invalid seed {name!r}", fix="for instance seed:5, seed:0-3,8 or seed:5@0.5")
    seeds, psi = seed_list(match[1]), float(match[2]) if match[2] else PSI
    images = pictures_of_seeds(codec.generator, seeds, psi=psi).transpose(0, 3, 1, 2)
    truncation = "" if match[2] is None else f"\npsi {psi:g}"
    return [
        EditInput(f"seed {seed}{truncation}", np.ascontiguousarray(image), (seed, psi))
        for seed, image in zip(seeds, images, strict=True)
    ]
