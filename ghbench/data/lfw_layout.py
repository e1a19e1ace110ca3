"""LFW's folder layout: `Person_Name/Person_Name_0001.jpg`, one folder a person, any kind of image."""

from __future__ import annotations

import re
from pathlib import Path

from ghbench.data.image_files import ImageEntry
from ghbench.data.spelling import check_one_spelling, nfc
from ghbench.errors import DataError, MissingError
from ghbench.files import is_folder, regular_file
from ghbench.imaging.decode import SUFFIXES

_NUMBERED = re.compile(r"(?P<person>.+)_(?P<number>\d{1,18})")


def picture_files(root: Path) -> dict[tuple[str, int], ImageEntry]:
    """All images of a folder in LFW's layout.

    Args:
        root: The folder that holds the folders of people; other files in it are passed over.

    Returns:
        Entries by (person, image number), sorted; ids are `Person_Name/0001`.

    Raises:
        MissingError: There is no such folder.
        DataError: The folder holds no such image, two images of a person have one number, or a person has two folders
            whose names differ in spelling only.
    """
    if not is_folder(root):
        raise MissingError(
            f"{root} is not a folder; expected images as Person_Name/Person_Name_0001.jpg below it",
        )
    found: dict[tuple[str, int], ImageEntry] = {}
    folders = [folder for folder in root.iterdir() if folder.is_dir()]
    check_one_spelling((folder.name for folder in folders), str(root))
    for folder in folders:
        for path in folder.iterdir():
            key = _picture(path)
            if key in found:
                raise DataError(f"{found[key].path} and {path} are both image {key[1]} of {key[0]!r}")
            if key is not None:
                found[key] = ImageEntry(f"{key[0]}/{key[1]:04d}", regular_file(path), key[0])
    if not found:
        raise DataError(f"{root} holds no images; expected Person_Name/Person_Name_0001.jpg below it")
    return dict(sorted(found.items()))


def is_layout(root: Path) -> bool:
    """Whether a folder holds at least one image in LFW's layout."""
    if not is_folder(root):
        return False
    return any(_picture(path) is not None for folder in root.iterdir() if folder.is_dir() for path in folder.iterdir())


def _picture(path: Path) -> tuple[str, int] | None:
    """Person and number of an image file, None for any other file."""
    match = _NUMBERED.fullmatch(path.stem)
    if match is None or nfc(match["person"]) != nfc(path.parent.name) or path.suffix.lower() not in SUFFIXES:
        return None
    return nfc(match["person"]), int(match["number"])
