"""CelebA: 202,599 faces with 40 attributes; you download it yourself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ghbench import locations
from ghbench.data.image_files import ImageEntry, ImageFiles
from ghbench.dataset import DatasetCard, Target
from ghbench.errors import DataError, MissingError
from ghbench.files import exists, read_text, user_path

IMAGES, ATTRIBUTES, PARTITION = "img_align_celeba", "list_attr_celeba.txt", "list_eval_partition.txt"
SPLITS = ("train", "val", "test")
"""In the order of the partition's numbers."""
CARD = DatasetCard(
    name="celeba",
    title="CelebA: 202,599 faces with 40 attributes",
    licence="non-commercial research only",
    citation="Z. Liu et al., Deep Learning Face Attributes in the Wild, ICCV 2015",
    source="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, put here by you",
    related=("mafl",),
    may_show=False,
)


class Celeba(ImageFiles):
    """CelebA's aligned images with 40 attributes: splits `train`, `val` and `test` as published, target `attributes`.

    Ids are CelebA's file names. The folder holds `img_align_celeba/`, `list_attr_celeba.txt` and
    `list_eval_partition.txt`.

    Args:
        path: The folder; by default `celeba` among your datasets.

    Raises:
        MissingError: A file is not there.
        DataError: A file does not follow its format.
    """

    def __init__(self, path: str | None = None) -> None:
        root = user_path(path) if path else locations.data() / "celeba"
        for name in (IMAGES, ATTRIBUTES, PARTITION):
            if not exists(root / name):
                raise MissingError(
                    f"{root / name} is missing", fix=f"put CelebA's {IMAGES}, {ATTRIBUTES} and {PARTITION} into {root}"
                )
        names, *rows = _words(root / ATTRIBUTES)[1:] or [[]]
        parts = {row[0]: row[1] for row in _words(root / PARTITION) if len(row) == 2}
        if not names or not rows:
            raise DataError(f"{root / ATTRIBUTES} holds no faces; expected names of attributes, then values")
        for row in rows:
            if len(row) != len(names) + 1 or set(row[1:]) - {"1", "-1"} or parts.get(row[0]) not in {"0", "1", "2"}:
                raise DataError(
                    f"{root / ATTRIBUTES}: {row[0]!r} has no {len(names)} values 1 or -1, or is in no split"
                )
        split = np.array([int(parts[row[0]]) for row in rows])
        values = np.array([row[1:] for row in rows]) == "1"
        super().__init__(
            CARD,
            [ImageEntry(row[0], root / IMAGES / row[0]) for row in rows],
            splits={name: np.flatnonzero(split == number) for number, name in enumerate(SPLITS)},
            targets={"attributes": Target("attributes", values.astype(np.float64), "whether", tuple(names))},
        )


def _words(path: Path) -> list[list[str]]:
    """The words of each line that has some."""
    return [line.split() for line in read_text(path).splitlines() if line.strip()]
