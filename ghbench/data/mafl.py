"""MAFL: 20,000 faces of CelebA with five points, 19,000 to train on and 1,000 to test on; you download it yourself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.data.face_crops import FaceCrops
from ghbench.data.image_files import ImageEntry
from ghbench.dataset import DatasetCard
from ghbench.errors import DataError, MissingError
from ghbench.files import exists, read_text, user_path

IMAGES, POINTS = "img_align_celeba", "list_landmarks_align_celeba.txt"
LISTS = {"train": "training.txt", "test": "testing.txt"}
SIDE, TOP = 178, 20
"""CelebA's aligned images have 178 x 218 pixels; the square is cut out of their middle."""
CARD = DatasetCard(
    name="mafl",
    title="MAFL: 20,000 faces of CelebA with five points",
    licence="CelebA: non-commercial research only",
    citation="Z. Zhang et al., Facial Landmark Detection by Deep Multi-task Learning, ECCV 2014; CelebA: Z. Liu, 2015",
    source="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html and .../projects/TCDCN.html, put here by you",
    related=("celeba",),
    may_show=False,
)


class Mafl(FaceCrops):
    """MAFL: faces of CelebA, aligned as published, with five points. Splits `train` (19,000) and `test` (1,000).

    Ids are CelebA's file names. The folder holds `img_align_celeba/`, `list_landmarks_align_celeba.txt`, and MAFL's
    `training.txt` and `testing.txt`.

    Args:
        path: The folder; by default `celeba` among your datasets.
        size: Side of the images in pixels.

    Raises:
        MissingError: A file is not there.
        DataError: A file does not follow its format.
    """

    def __init__(self, path: str | None = None, size: int = 128) -> None:
        root = user_path(path) if path else locations.data() / "celeba"
        for name in (IMAGES, POINTS, *LISTS.values()):
            if not exists(root / name):
                raise MissingError(
                    f"{root / name} is missing",
                    fix=f"put CelebA's {IMAGES} and {POINTS}, and MAFL's training.txt and testing.txt, into {root}",
                )
        known = _read_points(root / POINTS)
        names = {split: read_text(root / name).split() for split, name in LISTS.items()}
        wanted = [name for split in names.values() for name in split]
        if not all(names.values()):
            raise DataError(f"{root} has an empty list; expected file names in {' and '.join(LISTS.values())}")
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise DataError(f"{root / POINTS} has no points for {unknown[0]}")
        entries = [ImageEntry(name, root / IMAGES / name) for name in wanted]
        points = np.stack([known[name] for name in wanted]) + 0.5
        square = np.array([[0, TOP], [SIDE, TOP], [0, TOP + SIDE]], np.float64)
        first = len(names["train"])
        splits = {"train": np.arange(first), "test": np.arange(first, len(wanted))}
        super().__init__(CARD, entries, points, [square] * len(wanted), size, splits)


def _read_points(path: Path) -> dict[str, NDArray[np.float64]]:
    """Five points [5, 2] by file name: both eyes, nose, both corners of the mouth."""
    found = {}
    for line in filter(str.strip, read_text(path).splitlines()[2:]):
        name, *numbers = line.split()
        try:
            found[name] = np.array(numbers, dtype=np.float64).reshape(5, 2)
        except ValueError as error:
            raise DataError(f"{path}: {line[:80]!r}; expected a file name and ten numbers") from error
    return found
