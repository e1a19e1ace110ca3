"""Pictures edited through their codes (Xu et al. 2021, section 4.2): reconstruct, mix, global, local, harmonise.

Everything takes a `Codec`, and pictures or their codes: codes stand for pictures that are encoded already, perhaps
refined. Pictures are uint8 [N, 3, R, R]; where two sets meet, both have N rows or one of them has a single one.
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
from ghbench.ghfeat.codec import Codec, Codes, Pictures
from ghbench.ghfeat.editing.masks import Mask, at_resolution
from ghbench.levels import select_levels

Source = NDArray[np.uint8] | Codes
"""Pictures uint8 [N, 3, R, R], or codes by level [N, width]."""


def reconstruct(codec: Codec, source: Source) -> Pictures:
    """What the generator draws from the codes of pictures."""
    return codec.decode(codes_of(codec, source))


def mix(codec: Codec, content: Source, style: Source, levels: Collection[str]) -> Pictures:
    """Style mixing: content with the codes of some levels taken from other pictures.

    Args:
        codec: Encoder and generator.
        content: Whose other levels are kept.
        style: Whose codes are taken.
        levels: Names of levels; none of them leaves the reconstruction of the content.

    Returns:
        uint8 [N, 3, R, R].

    Raises:
        UsageError: An unknown level, or numbers of rows that do not fit.
    """
    return codec.decode(replaced(codes_of(codec, content), codes_of(codec, style), levels))


def edit_global(codec: Codec, source: Source, codes: Codes, levels: Collection[str]) -> Pictures:
    """Global editing: the codes of some levels replaced by those of samples or references.

    Args:
        codec: Encoder and generator.
        source: What is edited.
        codes: For instance of `sampled_codes` or of `codec.encode(references)`.
        levels: Names of the levels that are replaced.

    Returns:
        uint8 [N, 3, R, R].

    Raises:
        UsageError: As `mix`.
    """
    return mix(codec, source, codes, levels)


def edit_local(codec: Codec, source: Source, reference: Source, mask: Mask, level: str) -> Pictures:
    """Local editing: a region of the generator's map at one level comes from another picture, then synthesis goes on.

    Codes hold for the whole picture; a region is edited in the maps that they make. The finer levels, with the
    codes of the source, blend it in.

    Args:
        codec: Encoder and generator.
        source: What is edited.
        reference: Where the region comes from; the same place of its frame.
        mask: float32 [R, R], brought to the level's resolution.
        level: Name of a level of the generator.

    Returns:
        uint8 [N, 3, R, R].

    Raises:
        UsageError: An unknown level, or a generator that cannot be stopped there.
    """
    ours, theirs = matched(codes_of(codec, source), codes_of(codec, reference))
    return codec.resumed(ours, level, swapped(codec, ours, theirs, mask, level))


def swapped(codec: Codec, ours: Codes, theirs: Codes, mask: Mask, level: str) -> Tensor:
    """The map [N, C, r, r] of a level: ours, and theirs under the mask; exactly ours where the mask is 0."""
    try:
        find_level(codec.generator.levels, level)
    except KeyError as error:
        raise UsageError(f"the generator has {error.args[0]}") from error
    here, there = codec.maps(ours, level), codec.maps(theirs, level)
    return torch.lerp(here, there, at_resolution(mask, here.shape[-1]).to(here).expand_as(here))


def harmonize(
    codec: Codec,
    background: Pictures,
    foreground: Pictures,
    mask: Mask,
    *,
    blend: bool = False,
    encode: Callable[[Pictures], Codes] | None = None,
) -> Pictures:
    """Harmonisation: paste, encode once, decode.

    Args:
        codec: Encoder and generator.
        background: uint8 [N, 3, R, R].
        foreground: uint8 [N, 3, R, R]; what the mask shows is pasted at its place.
        mask: float32 [R, R].
        blend: Put the background back outside the mask. The paper does not; its backgrounds drift.
        encode: Codes of the pasted pictures; the encoder's by default.

    Returns:
        uint8 [N, 3, R, R]; with `blend` every pixel where the mask is 0 is the background's own.
    """
    pasted = paste(background, foreground, mask)
    made = codec.decode((encode or codec.encode)(pasted))
    return paste(background, made, mask) if blend else made


def paste(background: Pictures, foreground: Pictures, mask: Mask) -> Pictures:
    """Background and foreground uint8 [N, 3, R, R] weighed by the mask; exactly the background where it is 0."""
    here, there = background.astype(np.float32), foreground.astype(np.float32)
    return np.rint(here + (there - here) * mask).astype(np.uint8)


def region_level(codec: Codec, spec: ExtractorSpec, expression: str | None) -> str:
    """The level of the generator at which a region is swapped.

    Args:
        codec: Encoder and generator.
        spec: The extractor's, whose names of levels `expression` uses.
        expression: A level of the generator, or what stands for levels of the codes: the finest of these that is no
            conversion to colours. None for `conv` at an eighth of the picture's side.

    Raises:
        UsageError: No such level.
    """
    places = [level.name for level in codec.generator.levels]
    text = expression or f"r{codec.size // 8}.conv"
    if text in places:
        return text
    chosen = [name for name in select_levels(spec, text) if name in places and not name.endswith("rgb")]
    if not chosen:
        raise UsageError(f"no region can be taken at {text!r}", fix=f"levels of the generator: {', '.join(places)}")
    return chosen[-1]


def codes_of(codec: Codec, source: Source) -> Codes:
    """Codes of pictures; codes stay as they are."""
    return source if isinstance(source, Mapping) else codec.encode(source)


def replaced(codes: Codes, others: Codes, levels: Collection[str]) -> dict[str, Tensor]:
    """Codes by level, those of some levels taken from others.

    Raises:
        UsageError: An unknown level, or numbers of rows that do not fit.
    """
    unknown = [level for level in levels if level not in codes]
    if unknown:
        raise UsageError(f"the encoder has no level {unknown[0]!r}; levels: {', '.join(codes)}")
    kept, taken = matched(codes, others)
    return {name: taken[name] if name in levels else code for name, code in kept.items()}


def matched(one: Codes, two: Codes) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Both with as many rows; a single row is repeated.

    Raises:
        UsageError: Neither equal numbers of rows nor a single row.
    """
    rows = len(next(iter(one.values()))), len(next(iter(two.values())))
    if len(set(rows) - {1}) > 1:
        raise UsageError(f"{rows[0]} pictures meet {rows[1]}; expected equal numbers, or one on a side")
    count = max(rows)
    return _expanded(one, count), _expanded(two, count)


@torch.no_grad()
def sampled_codes(codec: Codec, seeds: Collection[int], psi: float = 0.7) -> dict[str, Tensor]:
    """True codes of the generator's pictures of seeds, by level [N, width]."""
    generator = codec.generator
    ws = generator.mapping(seeded_z(list(seeds), generator.z_dim).to(codec.device), psi)
    return codec.layout.codes(generator, ws)


def _expanded(codes: Codes, count: int) -> dict[str, Tensor]:
    return {name: code.expand(count, -1) for name, code in codes.items()}
