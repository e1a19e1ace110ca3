"""Labeled Faces in the Wild: 13,233 photographs of 5,749 people, from its mirrors or from a folder of the user."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ghbench import assets, locations
from ghbench.data.image_files import ImageFiles
from ghbench.data.lfw_layout import is_layout, picture_files
from ghbench.data.lfw_people import fold_splits, read_people
from ghbench.data.pair_files import read_pairs
from ghbench.data.pair_list import PairList
from ghbench.dataset import DatasetCard
from ghbench.errors import MissingError
from ghbench.files import exists, user_path

Version = Literal["funneled", "original", "deepfunneled"]

# Folder names inside the published archives.
_FOLDERS: dict[Version, str] = {
    "original": "lfw",
    "funneled": "lfw_funneled",
    "deepfunneled": "lfw-deepfunneled",
}


class Lfw(ImageFiles):
    """Labeled Faces in the Wild, 13,233 photographs of 5,749 people; rows sorted by person, then image.

    Ids are `Person_Name/0001`. Images are looked for in `root`, then in `GHBENCH_DATA/lfw` under the name that
    their archive gives them, then among the assets. Splits are the ten folds of view 2 (`fold-1` to `fold-10`) if
    there is a `people.txt` beside the images or in `GHBENCH_DATA/lfw`.

    Args:
        version: Which alignment of the photographs.
        root: Folder with `Person_Name/Person_Name_0001.jpg`.

    Raises:
        MissingError: The images are not on this machine and cannot be fetched.
        DataError: A folder that does not follow the layout.
    """

    def __init__(self, version: Version = "funneled", root: Path | None = None) -> None:
        self.root = _pictures(version, root)
        people = _beside(self.root, "people.txt")
        entries = list(picture_files(self.root).values())
        splits = None if people is None else fold_splits(read_people(people), [entry.label for entry in entries])
        super().__init__(_card(version), entries, splits=splits)

    def pairs(self) -> PairList:
        """The 6,000 pairs of view 2: `pairs.txt` beside the images, in `GHBENCH_DATA/lfw`, or from its mirrors.

        Returns:
            Resolved pairs in ten folds.

        Raises:
            MissingError: The file is not on this machine and cannot be fetched.
            DataError: The file does not follow the format, or names an image that is not there.
        """
        path = _beside(self.root, "pairs.txt") or assets.path("lfw-pairs", "pairs.txt")
        return read_pairs(path).resolve(self)


def _user_folder() -> Path:
    return locations.data() / "lfw"


def _pictures(version: Version, root: Path | None) -> Path:
    """The folder that holds the folders of people."""
    if root is not None:
        return user_path(root).absolute()
    by_hand = _user_folder() / _FOLDERS[version]
    if is_layout(by_hand):
        return by_hand
    name = f"lfw-{version}"
    try:
        return assets.path(name)
    except MissingError as error:
        archive = "lfw.tgz" if version == "original" else f"lfw-{version}.tgz"
        raise MissingError(
            f"LFW ({version}) is not on this machine: {error.message}",
            fix=f"put {_FOLDERS[version]}/Person_Name/Person_Name_0001.jpg into {_user_folder()}, "
            f"or: ghbench assets import {name} {archive}, or: lfw:root=FOLDER",
        ) from error


def _beside(root: Path, name: str) -> Path | None:
    """A list file beside the images or in the user's folder."""
    places = (root / name, root.parent / name, _user_folder() / name)
    return next((place for place in places if exists(place) and place.is_file()), None)


def _card(version: Version) -> DatasetCard:
    return DatasetCard(
        name="lfw",
        title=f"Labeled Faces in the Wild ({version})",
        licence="no explicit licence; for research, rights in the photographs stay with their owners",
        citation=(
            "G. B. Huang, M. Ramesh, T. Berg and E. Learned-Miller, Labeled Faces in the Wild, "
            "University of Massachusetts Amherst, technical report 07-49, 2007"
        ),
        source="the archives published with the dataset",
        related=("lfw-subset", "lfw-original", "lfw-funneled", "lfw-deepfunneled"),
        use="evaluation; training only under LFW's protocol for outside data",
        by_person=True,
        may_show=False,
    )
