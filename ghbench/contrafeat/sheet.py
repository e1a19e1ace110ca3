"""Traversals as a labelled grid: a row for each picture and direction, a column for each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ghbench.contrafeat.traversal import Direction, Traversal
from ghbench.figures.labelled_grid import Row
from ghbench.ghfeat.codec import Codec, Codes
from ghbench.ghfeat.editing.grids import Sheet
from ghbench.ghfeat.editing.inputs import EditInput


@dataclass(frozen=True)
class TraversalInput:
    """What is moved: a seed, or the codes of a photograph.

    Args:
        label: Label of its rows.
        seed: Seed and truncation of a generated picture.
        codes: Codec and codes of a photograph.
        source: The photograph.
    """

    label: str
    seed: tuple[int, float] | None = None
    codes: tuple[Codec, Codes] | None = None
    source: EditInput | None = None


def traversal_sheet(
    traversal: Traversal, inputs: Sequence[TraversalInput], directions: Sequence[Direction], steps: Sequence[float]
) -> Sheet:
    """Draw all inputs along all directions."""
    rows, sources = [], []
    for entry in inputs:
        for direction in directions:
            if entry.codes is not None:
                made = traversal.of_codes(*entry.codes, direction, steps)
            else:
                assert entry.seed is not None
                made = traversal.of_seed(*entry.seed, direction, steps)
            cells = [np.ascontiguousarray(image.transpose(1, 2, 0)) for image in made]
            rows.append(Row(f"{entry.label}\n{direction.label}", cells))
            sources.append(entry.source or EditInput(entry.label, made[0], entry.seed))
    return Sheet([f"{step:+g}" if step else "0" for step in steps], rows, slice(0, len(steps)), sources)
