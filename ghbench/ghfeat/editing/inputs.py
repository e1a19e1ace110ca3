"""Reads the inputs of edits: image files and generated images, in the encoder's frame."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import UsageError
from ghbench.files import user_path
from ghbench.generators.pictures import seed_list
from ghbench.ghfeat.codec import Codec, Codes, Images
from ghbench.ghfeat.editing.edits import reconstruct, sampled_codes
from ghbench.ghfeat.editing.pasting import paste_back
from ghbench.imaging import alignment, decode
from ghbench.imaging.transforms import Transform

PSI = 0.7
POOR = 0.1
"""Squared error on [-1, 1] of a poor reconstruction, of encoders whose file states no error of their own."""


@dataclass(frozen=True)
class EditInput:
    """One image.

    Args:
        label: Its label in a grid.
        image: uint8 [3, R, R].
        seed: Seed and truncation of a generated image, None for a file.
        file: The file, None for a generated image.
        transform: From coordinates of the file's image to those of `image`.
    """

    label: str
    image: NDArray[np.uint8]
    seed: tuple[int, float] | None = None
    file: Path | None = None
    transform: Transform | None = None

    def in_photograph(self, made: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A result uint8 [3, R, R] in the place of `image` in its photograph, uint8 [H, W, 3]; alone if generated."""
        if self.file is None or self.transform is None:
            return made.transpose(1, 2, 0)
        return paste_back(decode(self.file), made, self.transform)

    def codes(self, codec: Codec, encode: Callable[[Images], Codes]) -> Codes:
        """The true codes of a generated image, else those that `encode` finds, by level [1, width]."""
        if self.seed is None:
            return encode(self.image[None])
        return sampled_codes(codec, [self.seed[0]], self.seed[1])


def read_inputs(
    codec: Codec, names: Sequence[str], align: str, warn: Callable[[str], None] = lambda _line: None
) -> list[EditInput]:
    """Read images.

    Args:
        codec: Sets the image size, and draws generated images.
        names: Image files, `seed:5`, `seed:0-3,8` or `seed:5@0.5` with a truncation.
        align: Name of the alignment of files; generated images are already in the generator's frame.
        warn: Called with a message for each file in which no face was found, or more than one.

    Raises:
        UsageError: An invalid seed.
        DataError: An image cannot be decoded.
        MissingError: The alignment or the generator is not available.
    """
    found: list[EditInput] = []
    for name in names:
        found += _draw(codec, name) if name.startswith("seed:") else [_read(codec, name, align, warn)]
    return found


def poor_reconstructions(codec: Codec, inputs: Sequence[EditInput]) -> list[str]:
    """A line for each image whose reconstruction is poor, with its error and what helps."""
    measured = codec.description.about.get("metrics", {})
    usual = measured.get("mse.real") or measured.get("mse.psi1.0") if isinstance(measured, dict) else None
    limit = 2 * usual if isinstance(usual, float) and 0 < usual < POOR else POOR
    images = stack_images(inputs)
    difference = codec.tensor(images) - codec.tensor(reconstruct(codec, images))
    errors = difference.square().mean(dim=(1, 2, 3)).tolist()
    return [
        f"the reconstruction of {entry.label.partition(chr(10))[0]} is poor: squared error {error:.3f} on [-1, 1], "
        f"usual is below {limit:.3f}; try --refine 25"
        for entry, error in zip(inputs, errors, strict=True)
        if error > limit
    ]


def stack_images(inputs: Sequence[EditInput]) -> Images:
    """Images of the inputs, uint8 [N, 3, R, R]."""
    return np.stack([entry.image for entry in inputs])


def _read(codec: Codec, name: str, align: str, warn: Callable[[str], None]) -> EditInput:
    path = user_path(name)
    prepared = alignment(align).apply(decode(path), (codec.size, codec.size))
    if prepared.fallback:
        warn(f"no face found in {name}; using a fixed crop instead; try --align none")
    elif (prepared.faces or 0) > 1:
        warn(f"{prepared.faces} faces found in {name}; using the most central one; crop the file to choose another")
    return EditInput(path.stem, prepared.image, file=path, transform=prepared.transform)


def named_seeds(name: str) -> tuple[list[int], float, str]:
    """Seeds and truncation of `seed:0-3@0.5`, and what of the truncation is shown in labels.

    Raises:
        UsageError: An invalid seed.
    """
    match = re.fullmatch(r"seed:([\d,\- ]+)(?:@(-?\d*\.?\d+))?", name)
    if match is None:
        raise UsageError(f"invalid seed {name!r}", fix="for instance seed:5, seed:0-3,8 or seed:5@0.5")
    psi = float(match[2]) if match[2] else PSI
    return seed_list(match[1]), psi, "" if match[2] is None else f"\npsi {psi:g}"


def _draw(codec: Codec, name: str) -> list[EditInput]:
    seeds, psi, truncation = named_seeds(name)
    return [
        EditInput(f"seed {seed}{truncation}", image, (seed, psi))
        for seed, image in zip(seeds, codec.pictures(seeds, psi), strict=True)
    ]
