"""The alignments by name, and the one call that brings an image to what an extractor declares."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import UsageError
from ghbench.extractor import Preprocessing
from ghbench.imaging.alignment import Alignment, Prepared, Unaligned
from ghbench.imaging.dlib_chip import DlibChip
from ghbench.imaging.ffhq import FfhqAlignment
from ghbench.imaging.tight import TightAlignment

ALIGNMENTS: Mapping[str, Callable[[], Alignment]] = {
    "none": Unaligned,
    "tight": TightAlignment,
    "ffhq": FfhqAlignment.on_this_machine,
    "dlib-chip": DlibChip.on_this_machine,
}
"""Makers of the alignments by name; `alignment` calls them."""


def alignment(name: str) -> Alignment:
    """The alignment of that name.

    Args:
        name: One of `ALIGNMENTS`.

    Returns:
        The alignment; no model is loaded before its first use.

    Raises:
        UsageError: There is none; the message names the nearest one.
    """
    if name in ALIGNMENTS:
        return ALIGNMENTS[name]()
    near = difflib.get_close_matches(name, ALIGNMENTS, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise UsageError(f"no alignment is called {name!r}{hint} Known: {', '.join(ALIGNMENTS)}")


def prepare(image: NDArray[np.uint8], preprocessing: Preprocessing, align: str) -> Prepared:
    """Align and resize one image as an extractor declares.

    Args:
        image: uint8 [H, W, 3] RGB.
        preprocessing: The extractor's declaration; its `align` is only a default and not looked at here.
        align: Name of the alignment to use.

    Returns:
        The image, uint8 [3, H, W], its transform, and how much of it is padding.

    Raises:
        UsageError: Unknown alignment or resize step.
        MissingError: The alignment needs a package or a model file that this machine does not have.
    """
    return alignment(align).apply(image, preprocessing.size, preprocessing.resize)
