"""Folders of photographs with 68 points in `.pts` files, as 300-W has them; you download them yourself."""

from __future__ import annotations

import glob
from pathlib import Path

import numpy as np

from ghbench import locations
from ghbench.data.face_crops import FaceCrops, square_around
from ghbench.data.image_files import ImageEntry
from ghbench.data.landmark_files import read_pts
from ghbench.dataset import DatasetCard
from ghbench.errors import DataError, MissingError
from ghbench.files import is_folder, user_path
from ghbench.imaging.decode import SUFFIXES

TEST_FOLDERS = frozenset({"testset", "test", "ibug", "01_Indoor", "02_Outdoor"})
"""Folders whose images are for testing: `testset` of LFPW and HELEN, the set `ibug`, and the challenge's own."""
CARD = DatasetCard(
    name="ibug",
    title="Photographs of faces with 68 hand-placed points, as in 300-W",
    licence="300-W: research only, no commercial use",
    citation="C. Sagonas et al., 300 Faces in-the-Wild Challenge: database and results, IMAVIS 2016",
    source="https://ibug.doc.ic.ac.uk/resources/300-W, put here by you",
    named=False,
    may_show=False,
)


class Ibug(FaceCrops):
    """Photographs with `.pts` files of 68 points beside them: 300-W, or yours.

    Each face is cut out as an upright square, 1.3 times as wide as the box around its points. Ids are paths below the
    folder. A folder `testset`, `test`, `ibug`, `01_Indoor` or `02_Outdoor` on an image's way makes it a test image.

    Args:
        path: The folder; by default `ibug` among your datasets.
        size: Side of the squares in pixels.

    Raises:
        MissingError: There is no such folder.
        DataError: It has no image with points, or points in another number.
    """

    def __init__(self, path: str | None = None, size: int = 256) -> None:
        root = user_path(path) if path else locations.data() / "ibug"
        if not is_folder(root):
            raise MissingError(
                f"{root} is not a folder; expected photographs with .pts files",
                fix=f"download 300-W (https://ibug.doc.ic.ac.uk/resources/300-W) and unpack it to {root}",
            )
        pairs = _pairs(root)
        points = [read_pts(file) for _, file in pairs]
        for (_, file), one in zip(pairs, points, strict=True):
            if len(one) != 68:
                raise DataError(f"{file} holds {len(one)} points; expected 68")
        entries = [ImageEntry(image.relative_to(root).as_posix(), image) for image, _ in pairs]
        judged = np.array([bool(TEST_FOLDERS & set(Path(entry.id).parts[:-1])) for entry in entries])
        parts = {"train": np.flatnonzero(~judged), "test": np.flatnonzero(judged)}
        # The files name a pixel by its index; its centre lies half a pixel further.
        placed = np.stack(points) + 0.5
        quads = [square_around(one) for one in placed]
        super().__init__(CARD, entries, placed, quads, size, {name: rows for name, rows in parts.items() if len(rows)})


def _pairs(root: Path) -> list[tuple[Path, Path]]:
    """Images and their files of points, sorted."""
    found = []
    for file in sorted(root.rglob("*.pts")):
        images = [path for path in file.parent.glob(f"{glob.escape(file.stem)}.*") if path.suffix.lower() in SUFFIXES]
        if images:
            found.append((min(images), file))
    if not found:
        raise DataError(f"{root} holds no image with a .pts file of the same name")
    return found
