"""Edits laid out beside what they were made of: one function an edit, from inputs to rows and columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import UsageError
from ghbench.figures.labelled_grid import Row, labelled_grid
from ghbench.ghfeat.codec import Codec, Codes, Pictures
from ghbench.ghfeat.editing.edits import edit_global, edit_local, harmonize, mix, paste, reconstruct
from ghbench.ghfeat.editing.inputs import EditInput, stacked
from ghbench.ghfeat.editing.masks import Mask

OUTSIDE = 0.35
"""How bright the outside of a mask is shown."""

Levels = tuple[str, tuple[str, ...]]
"""What the user wrote, and the levels that it stands for."""


@dataclass(frozen=True)
class Encoding:
    """A way to get codes of pictures.

    Args:
        label: What rows made with it are called beside the picture's name, empty for the encoder's own codes.
        codes: Makes them.
    """

    label: str
    codes: Callable[[Pictures], Codes]


def reconstruct_grid(codec: Codec, inputs: Sequence[EditInput], encodings: Sequence[Encoding]) -> NDArray[np.uint8]:
    """Each picture and its reconstruction, by each encoding."""
    pictures = stacked(inputs)
    made = [reconstruct(codec, encoding.codes(pictures)) for encoding in encodings]
    columns = ["picture", *(encoding.label or "reconstruction" for encoding in encodings)]
    cells = zip(pictures, *made, strict=True)
    return labelled_grid(columns, [Row(entry.label, _cells(row)) for entry, row in zip(inputs, cells, strict=True)])


def mix_grid(
    codec: Codec,
    inputs: Sequence[EditInput],
    styles: Sequence[EditInput],
    levels: Sequence[Levels],
    encodings: Sequence[Encoding],
) -> NDArray[np.uint8]:
    """A row for each picture and style, a column for each choice of levels that come from the style."""
    columns = ["picture", "reconstruction", *(f"style at\n{text}" for text, _ in levels), "style"]
    rows = []
    for encoding in encodings:
        taken = encoding.codes(stacked(styles))
        for entry in inputs:
            own = encoding.codes(entry.picture[None])
            made = [reconstruct(codec, own), *(mix(codec, own, taken, names) for _, names in levels)]
            for place, style in enumerate(styles):
                mixed = [part[place if len(part) > 1 else 0] for part in made]
                label = _named(f"{entry.label} with {style.label}", encoding)
                rows.append(Row(label, _cells([entry.picture, *mixed, style.picture])))
    return labelled_grid(columns, rows)


def global_grid(
    codec: Codec,
    inputs: Sequence[EditInput],
    references: Sequence[EditInput],
    levels: Sequence[Levels],
    encodings: Sequence[Encoding],
) -> NDArray[np.uint8]:
    """A column for each reference, whose codes replace those of some levels."""
    columns = ["picture", "reconstruction", *(reference.label for reference in references)]
    rows = [Row("codes from", _cells([None, None, *(reference.picture for reference in references)]))]
    theirs = [reference.codes(codec) for reference in references]
    for encoding in encodings:
        for entry in inputs:
            own = encoding.codes(entry.picture[None])
            plain = reconstruct(codec, own)[0]
            for text, names in levels:
                made = [edit_global(codec, own, codes, names)[0] for codes in theirs]
                rows.append(Row(_named(f"{entry.label}\n{text}", encoding), _cells([entry.picture, plain, *made])))
    return labelled_grid(columns, rows)


def local_grid(
    codec: Codec,
    inputs: Sequence[EditInput],
    references: Sequence[EditInput],
    mask: Mask,
    levels: Sequence[str],
    encodings: Sequence[Encoding],
) -> NDArray[np.uint8]:
    """A column for each reference, of whose map at a level a region is taken."""
    columns = ["picture", "reconstruction", "region", *(reference.label for reference in references)]
    rows = [Row("region from", _cells([None, None, None, *(reference.picture for reference in references)]))]
    theirs = [reference.codes(codec) for reference in references]
    for encoding in encodings:
        for entry in inputs:
            own = encoding.codes(entry.picture[None])
            plain = reconstruct(codec, own)[0]
            for level in levels:
                made = [edit_local(codec, own, codes, mask, level)[0] for codes in theirs]
                cells = _cells([entry.picture, plain, shown(entry.picture, mask), *made])
                rows.append(Row(_named(f"{entry.label}\nat {level}", encoding), cells))
    return labelled_grid(columns, rows)


def harmonize_grid(
    codec: Codec,
    backgrounds: Sequence[EditInput],
    foregrounds: Sequence[EditInput],
    mask: Mask,
    encodings: Sequence[Encoding],
) -> NDArray[np.uint8]:
    """Background, foreground, what is pasted, and what one pass makes of it, without and with the background put back.

    Raises:
        UsageError: Neither as many foregrounds as backgrounds, nor one.
    """
    if len(foregrounds) not in {1, len(backgrounds)}:
        raise UsageError(f"{len(backgrounds)} backgrounds meet {len(foregrounds)} foregrounds; expected as many, or 1")
    columns = ["background", "foreground", "pasted", "harmonized", "harmonized,\nbackground kept"]
    rows = []
    for encoding in encodings:
        for place, entry in enumerate(backgrounds):
            other = foregrounds[place if len(foregrounds) > 1 else 0]
            behind, front = entry.picture[None], other.picture[None]
            pasted = paste(behind, front, mask)[0]
            made = harmonize(codec, behind, front, mask, encode=encoding.codes)
            cells = [entry.picture, shown(other.picture, mask), pasted, made[0], paste(behind, made, mask)[0]]
            rows.append(Row(_named(f"{other.label} into {entry.label}", encoding), _cells(cells)))
    return labelled_grid(columns, rows)


def shown(picture: NDArray[np.uint8], mask: Mask) -> NDArray[np.uint8]:
    """A picture uint8 [3, R, R] that is dark outside the mask."""
    return np.rint(picture * (OUTSIDE + (1 - OUTSIDE) * mask)).astype(np.uint8)


def _named(label: str, encoding: Encoding) -> str:
    return f"{label}\n{encoding.label}" if encoding.label else label


def _cells(pictures: Sequence[NDArray[np.uint8] | None]) -> list[NDArray[np.uint8] | None]:
    return [None if picture is None else picture.transpose(1, 2, 0) for picture in pictures]
