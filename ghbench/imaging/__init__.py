"""Images from files to an extractor's input: decode, align, resize, each step with a name and a version."""

from ghbench.imaging.alignment import Alignment, Prepared
from ghbench.imaging.alignments import ALIGNMENTS, alignment, prepare
from ghbench.imaging.decode import DECODE_VERSION, decode, pixel_digest
from ghbench.imaging.resize import RESIZES, resize_step
from ghbench.imaging.transforms import Transform, inverse, mirrored, move_points

__all__ = [
    "ALIGNMENTS",
    "DECODE_VERSION",
    "RESIZES",
    "Alignment",
    "Prepared",
    "Transform",
    "alignment",
    "decode",
    "inverse",
    "mirrored",
    "move_points",
    "pixel_digest",
    "prepare",
    "resize_step",
]
