"""Edits images through their codes (Xu et al. 2021, section 4.2): reconstruct, mix, global, local, harmonise.

Every edit takes a `Codec`, and images or their codes, which may be refined. Images are uint8 [N, 3, R, R]; two inputs
have N rows each, or one of them has a single row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ghbench.errors import UsageError
from ghbench.extractor import ExtractorSpec
from ghbench.generators.levels import find_level
from ghbench.generators.rendering import seeded_z
from ghbench.ghfeat.codec import Codec, Codes, Images
from ghbench.ghfeat.editing.masks import Mask, at_resolution
from ghbench.levels import select_levels

COARSEST = 16
"""Resolution at which a region of a large result is swapped, at least."""
Source = NDArray[np.uint8] | Codes
"""Images uint8 [N, 3, R, R], or codes by level [N, width]."""


def reconstruct(codec: Codec, source: Source) -> Images:
    """Images that the generator draws from the codes of images."""
    return codec.decode(codes_of(codec, source))


def mix(codec: Codec, content: Source, style: Source, levels: Collection[str]) -> Images:
    """Style mixing: take the codes of some levels from other images.

    Args:
        codec: Encoder and generator.
        content: Images or codes that keep their other levels.
        style: Images or codes that the levels are taken from.
        levels: Names of the levels; without any, the result is the reconstruction of the content.

    Returns:
        uint8 [N, 3, R, R].

    Raises:
        UsageError: An unknown level, or different numbers of images.
    """
    return codec.decode(replace_levels(codes_of(codec, content), codes_of(codec, style), levels))


def edit_global(codec: Codec, source: Source, codes: Codes, levels: Collection[str]) -> Images:
    """Global editing: replace the codes of some levels by those of samples or references.

    Args:
        codec: Encoder and generator.
        source: Images or codes to edit.
        codes: For instance `sampled_codes` or `codec.encode(references)`.
        levels: Names of the levels to replace.

    Returns:
        uint8 [N, 3, R, R].

    Raises:
        UsageError: As `mix`.
    """
    return mix(codec, source, codes, levels)


def edit_local(codec: Codec, source: Source, reference: Source, mask: Mask, level: str) -> Images:
    """Local editing: replace a region of the generator's feature map at one level by that of another image.

    Codes apply to the whole image, so a region is edited in the feature map. The finer levels, with the codes of the
    source, blend it in.

    Args:
        codec: Encoder and generator.
        source: Images or codes to edit.
        reference: Images or codes that the region is taken from, at the same place.
        mask: float32 [R, R]; resized to the level's resolution.
        level: Name of a level of the generator.

    Returns:
        uint8 [N, 3, R, R].

    Raises:
        UsageError: An unknown level, or a generator without access to its feature maps.
    """
    ours, theirs = match_rows(codes_of(codec, source), codes_of(codec, reference))
    return codec.decode_from(ours, level, swap_region(codec, ours, theirs, mask, level))


def swap_region(codec: Codec, ours: Codes, theirs: Codes, mask: Mask, level: str) -> Tensor:
    """Feature map [N, C, r, r] of a level: theirs under the mask, ours elsewhere; exactly ours where the mask is 0."""
    try:
        find_level(codec.generator.levels, level)
    except KeyError as error:
        raise UsageError(f"the generator has {error.args[0]}") from error
    here, there = codec.maps(ours, level), codec.maps(theirs, level)
    return torch.lerp(here, there, at_resolution(mask, here.shape[-1]).to(here).expand_as(here))


def harmonize(
    codec: Codec,
    background: Images,
    foreground: Images,
    mask: Mask,
    *,
    blend: bool = False,
    encode: Callable[[Images], Codes] | None = None,
) -> Images:
    """Harmonisation: paste, encode once, decode.

    Args:
        codec: Encoder and generator.
        background: uint8 [N, 3, R, R].
        foreground: uint8 [N, 3, R, R]; its pixels under the mask are pasted at the same place.
        mask: float32 [R, R].
        blend: Put the background back outside the mask. The paper does not, and its backgrounds drift.
        encode: Encodes the pasted images; the encoder by default.

    Returns:
        uint8 [N, 3, R, R]; with `blend`, pixels are exactly the background's where the mask is 0.
    """
    pasted = paste(background, foreground, mask)
    made = codec.decode((encode or codec.encode)(pasted))
    return paste(background, made, mask) if blend else made


def paste(background: Images, foreground: Images, mask: Mask) -> Images:
    """Blend background and foreground uint8 [N, 3, R, R] by the mask; exactly the background where it is 0.

    Raises:
        UsageError: Their numbers differ, and neither is 1; or the mask has another size.
    """
    counts = {len(background), len(foreground)} - {1}
    if len(counts) > 1 or background.shape[1:] != foreground.shape[1:] or mask.shape != background.shape[2:]:
        raise UsageError(
            f"cannot paste images {foreground.shape} into {background.shape} under a mask {mask.shape}; "
            "expected equal sizes, and equal numbers, or 1"
        )
    here, there = background.astype(np.float32), foreground.astype(np.float32)
    return np.rint(here + (there - here) * mask).astype(np.uint8)


def region_level(codec: Codec, spec: ExtractorSpec, expression: str | None) -> str:
    """The level of the generator at which a region is swapped.

    Args:
        codec: Encoder and generator.
        spec: Spec of the extractor, whose level names `expression` uses.
        expression: A level of the generator, or an expression for levels of the codes, of which the finest that is not
            a conversion to RGB is used. None for `conv` at an eighth of the side of the images that the encoder sees,
            but not below 16 px where results are larger.

    Raises:
        UsageError: No such level.
    """
    places = [level.name for level in codec.generator.levels]
    side = min(codec.size // 8, max(codec.description.config.size // 8, COARSEST))
    text = expression or f"r{side}.conv"
    if text in places:
        return text
    chosen = [name for name in select_levels(spec, text) if name in places and not name.endswith("rgb")]
    if not chosen:
        raise UsageError(f"no feature map to edit at {text!r}", fix=f"levels of the generator: {', '.join(places)}")
    return chosen[-1]


def squared_errors(images: Images, made: Images) -> NDArray[np.float64]:
    """Mean squared error [N] of images uint8 [N, 3, R, R], on the range [-1, 1]."""
    difference = (images.astype(np.float64) - made) / 127.5
    errors: NDArray[np.float64] = np.square(difference).mean(axis=(1, 2, 3))
    return errors


def codes_of(codec: Codec, source: Source) -> Codes:
    """Codes of images; codes are returned unchanged."""
    return source if isinstance(source, Mapping) else codec.encode(source)


def replace_levels(codes: Codes, others: Codes, levels: Collection[str]) -> dict[str, Tensor]:
    """Replace the codes of some levels by others'.

    Raises:
        UsageError: An unknown level, or different numbers of rows.
    """
    unknown = [level for level in levels if level not in codes]
    if unknown:
        raise UsageError(f"the encoder has no level {unknown[0]!r}; levels: {', '.join(codes)}")
    kept, taken = match_rows(codes, others)
    return {name: taken[name] if name in levels else code for name, code in kept.items()}


def match_rows(one: Codes, two: Codes) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Repeat a single row so that both have the same number of rows.

    Raises:
        UsageError: Numbers of rows differ, and neither is 1.
    """
    rows = len(next(iter(one.values()))), len(next(iter(two.values())))
    if len(set(rows) - {1}) > 1:
        raise UsageError(f"cannot combine {rows[0]} images with {rows[1]}; expected equal numbers, or 1")
    count = max(rows)
    return _repeat_rows(one, count), _repeat_rows(two, count)


@torch.no_grad()
def sampled_codes(codec: Codec, seeds: Collection[int], psi: float = 0.7) -> dict[str, Tensor]:
    """True codes of the images that the generator draws for seeds, by level [N, width]."""
    generator = codec.generator
    ws = generator.mapping(seeded_z(list(seeds), generator.z_dim).to(codec.device), psi)
    return codec.layout.codes(generator, ws)


def _repeat_rows(codes: Codes, count: int) -> dict[str, Tensor]:
    return {name: code.expand(count, -1) for name, code in codes.items()}
