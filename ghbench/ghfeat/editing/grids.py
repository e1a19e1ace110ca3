"""Edits beside their inputs, one function per edit: drawn as a labelled grid, or each result alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import UsageError
from ghbench.figures.labelled_grid import Row, labelled_grid
from ghbench.ghfeat.codec import Codec, Codes, Images
from ghbench.ghfeat.editing.edits import (
    edit_global,
    edit_local,
    harmonize,
    mix,
    paste,
    reconstruct,
    squared_errors,
)
from ghbench.ghfeat.editing.inputs import EditInput, stack_images
from ghbench.ghfeat.editing.masks import Mask

OUTSIDE = 0.35
"""Brightness at which the outside of a mask is shown."""

LONGEST = 100
"""Bytes of a file name."""
Levels = tuple[str, tuple[str, ...]]
"""What the user wrote, and the levels that it selects."""


@dataclass(frozen=True)
class Encoding:
    """A way to encode images.

    Args:
        label: Added to the labels of its rows, empty for the encoder itself.
        codes: Encodes images.
    """

    label: str
    codes: Callable[[Images], Codes]


@dataclass(frozen=True)
class Sheet:
    """Edits beside their inputs.

    Args:
        columns: Labels of the columns.
        rows: Rows with their labels.
        results: The columns whose cells are what was asked for.
        sources: What was edited, one a row; None for a row that shows the references.
    """

    columns: Sequence[str]
    rows: Sequence[Row]
    results: slice
    sources: Sequence[EditInput | None]

    def grid(self) -> NDArray[np.uint8]:
        """The labelled grid, uint8 [H, W, 3]."""
        return labelled_grid(self.columns, self.rows)

    def singles(self, *, pasted: bool = False) -> dict[str, NDArray[np.uint8]]:
        """The results alone, by a file name without ending that is made of their labels.

        Args:
            pasted: Whether results of files are put back into their photographs, uint8 [H, W, 3], not [R, R, 3].
        """
        found: dict[str, NDArray[np.uint8]] = {}
        for row, source in zip(self.rows, self.sources, strict=True):
            if source is None:
                continue
            for column, cell in list(zip(self.columns, row.cells, strict=False))[self.results]:
                label = re.sub(r"[^\w.+@-]+", "-", f"{row.label} {column}").strip("-.")
                label = label.encode()[:LONGEST].decode(errors="ignore")
                taken = {name.casefold() for name in found}
                names = (label if number == 1 else f"{label}-{number}" for number in range(1, len(found) + 2))
                if cell is not None:
                    whole = source.in_photograph(cell.transpose(2, 0, 1)) if pasted else cell
                    found[next(name for name in names if name.casefold() not in taken)] = whole
        return found


def reconstruct_sheet(codec: Codec, inputs: Sequence[EditInput], encodings: Sequence[Encoding]) -> Sheet:
    """A row for each image with the errors, a column for its reconstruction by each encoding."""
    images = stack_images(inputs)
    made = [reconstruct(codec, encoding.codes(images)) for encoding in encodings]
    errors = np.stack([squared_errors(images, part) for part in made], axis=1)
    labels = [
        f"{entry.label}\nerror " + ", ".join(f"{error:.3f}" for error in own)
        for entry, own in zip(inputs, errors, strict=True)
    ]
    columns = ["image", *(encoding.label or "reconstruction" for encoding in encodings)]
    rows = [Row(label, _cells(row)) for label, row in zip(labels, zip(images, *made, strict=True), strict=True)]
    return Sheet(columns, rows, slice(1, None), inputs)


def mix_sheet(
    codec: Codec,
    inputs: Sequence[EditInput],
    styles: Sequence[EditInput],
    levels: Sequence[Levels],
    encodings: Sequence[Encoding],
) -> Sheet:
    """A row for each image and style, a column for each choice of levels taken from the style."""
    columns = ["image", "reconstruction", *(f"style at\n{text}" for text, _ in levels), "style"]
    rows = []
    for encoding in encodings:
        theirs = encoding.codes(stack_images(styles))
        for entry in inputs:
            own = encoding.codes(entry.image[None])
            made = [reconstruct(codec, own), *(mix(codec, own, theirs, names) for _, names in levels)]
            for place, style in enumerate(styles):
                mixed = [part[place if len(part) > 1 else 0] for part in made]
                label = _row_label(f"{entry.label} with {style.label}", encoding)
                rows.append(Row(label, _cells([entry.image, *mixed, style.image])))
    return Sheet(columns, rows, slice(2, -1), [entry for _ in encodings for entry in inputs for _ in styles])


def global_sheet(
    codec: Codec,
    inputs: Sequence[EditInput],
    references: Sequence[EditInput],
    levels: Sequence[Levels],
    encodings: Sequence[Encoding],
) -> Sheet:
    """A column for each reference, whose codes replace those of some levels."""
    columns = ["image", "reconstruction", *(reference.label for reference in references)]
    rows = [Row("codes from", _cells([None, None, *(reference.image for reference in references)]))]
    for encoding in encodings:
        theirs = [reference.codes(codec, encoding.codes) for reference in references]
        for entry in inputs:
            own = encoding.codes(entry.image[None])
            plain = reconstruct(codec, own)[0]
            for text, names in levels:
                made = [edit_global(codec, own, codes, names)[0] for codes in theirs]
                rows.append(Row(_row_label(f"{entry.label}\n{text}", encoding), _cells([entry.image, plain, *made])))
    return Sheet(columns, rows, slice(2, None), [None, *(one for _ in encodings for one in inputs for _ in levels)])


def local_sheet(
    codec: Codec,
    inputs: Sequence[EditInput],
    references: Sequence[EditInput],
    mask: Mask,
    levels: Sequence[str],
    encodings: Sequence[Encoding],
) -> Sheet:
    """A column for each reference, whose feature map at a level replaces a region."""
    columns = ["image", "reconstruction", "region", *(reference.label for reference in references)]
    rows = [Row("region from", _cells([None, None, None, *(reference.image for reference in references)]))]
    for encoding in encodings:
        theirs = [reference.codes(codec, encoding.codes) for reference in references]
        for entry in inputs:
            own = encoding.codes(entry.image[None])
            plain = reconstruct(codec, own)[0]
            for level in levels:
                made = [edit_local(codec, own, codes, mask, level)[0] for codes in theirs]
                cells = _cells([entry.image, plain, dim_outside(entry.image, mask), *made])
                rows.append(Row(_row_label(f"{entry.label}\nat {level}", encoding), cells))
    return Sheet(columns, rows, slice(3, None), [None, *(one for _ in encodings for one in inputs for _ in levels)])


def harmonize_sheet(
    codec: Codec,
    backgrounds: Sequence[EditInput],
    foregrounds: Sequence[EditInput],
    mask: Mask,
    encodings: Sequence[Encoding],
) -> Sheet:
    """A row for each background: it, the foreground, the paste, and the result without and with the background kept.

    Raises:
        UsageError: Neither as many foregrounds as backgrounds, nor one.
    """
    if len(foregrounds) not in {1, len(backgrounds)}:
        raise UsageError(
            f"{len(backgrounds)} backgrounds but {len(foregrounds)} foregrounds; expected equal numbers, or 1"
        )
    columns = ["background", "foreground", "pasted", "harmonized", "harmonized,\nbackground kept"]
    rows = []
    for encoding in encodings:
        for place, entry in enumerate(backgrounds):
            other = foregrounds[place if len(foregrounds) > 1 else 0]
            behind, front = entry.image[None], other.image[None]
            pasted = paste(behind, front, mask)[0]
            made = harmonize(codec, behind, front, mask, encode=encoding.codes)
            cells = [entry.image, dim_outside(other.image, mask), pasted, made[0], paste(behind, made, mask)[0]]
            rows.append(Row(_row_label(f"{other.label} into {entry.label}", encoding), _cells(cells)))
    return Sheet(columns, rows, slice(3, None), [entry for _ in encodings for entry in backgrounds])


def dim_outside(image: NDArray[np.uint8], mask: Mask) -> NDArray[np.uint8]:
    """Darken an image uint8 [3, R, R] outside the mask."""
    return np.rint(image * (OUTSIDE + (1 - OUTSIDE) * mask)).astype(np.uint8)


def _row_label(label: str, encoding: Encoding) -> str:
    return f"{label}\n{encoding.label}" if encoding.label else label


def _cells(images: Sequence[NDArray[np.uint8] | None]) -> list[NDArray[np.uint8] | None]:
    return [None if image is None else image.transpose(1, 2, 0) for image in images]
