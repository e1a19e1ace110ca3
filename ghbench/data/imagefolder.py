"""Any folder of images: class sub-folders or flat, with or without `train`, `val` and `test` above them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ghbench.data.image_files import ImageEntry, ImageFiles
from ghbench.data.spelling import check_one_spelling, nfc
from ghbench.dataset import DatasetCard
from ghbench.errors import DataError, MissingError
from ghbench.files import is_folder, regular_file, user_path
from ghbench.imaging.decode import SUFFIXES

SPLITS = ("train", "val", "test")
METADATA_NAMES = frozenset({"desktop.ini", "licence", "license", "readme", "thumbs.db"})
METADATA_SUFFIXES = frozenset({".csv", ".json", ".md", ".rst", ".toml", ".tsv", ".txt", ".xml", ".yaml", ".yml"})


class ImageFolder(ImageFiles):
    """A folder of images: `CLASS/image.png`, or flat; optionally inside `train`, `val` and `test`.

    Ids are the paths inside the folder; rows are in the order of their ids, split by split. Hidden files and files of
    metadata (`.txt`, `.json`, a README ...) are passed over; any other file that is no image is an error. Links are
    followed, to files and to folders; one that leads back to a folder around it is an error.

    Args:
        path: The folder.

    Raises:
        MissingError: There is no such folder.
        DataError: A file that is no image, an empty class, images beside class folders, or links in a circle.
    """

    def __init__(self, path: Path) -> None:
        root = user_path(path).absolute()
        if not is_folder(root):
            raise MissingError(f"{root} is not a folder; expected a folder of images", fix="imagefolder:path=FOLDER")
        present = [split for split in SPLITS if (root / split).is_dir()]
        others = [folder.name for folder in _folders(root) if folder.name not in SPLITS]
        parts = {split: root / split for split in present} if present and not others else {"all": root}
        entries: list[ImageEntry] = []
        splits = {}
        for split, folder in parts.items():
            found = _entries(folder, root)
            splits[split] = np.arange(len(entries), len(entries) + len(found), dtype=np.int64)
            entries += found
        if not entries:
            raise DataError(f"{root} holds no images; expected files ending in {', '.join(sorted(SUFFIXES))}")
        super().__init__(_card(root), entries, splits=splits)


def _entries(folder: Path, root: Path) -> list[ImageEntry]:
    """The images of one split in the order of their ids."""
    around = frozenset({root.resolve(), *root.resolve().parents})
    if folder != root:
        around = _entered(folder, around)
    classes = _folders(folder)
    parts: list[tuple[Path, str | None]] = [(part, nfc(part.name)) for part in classes]
    check_one_spelling((part.name for part in classes), str(folder))
    if classes:
        loose = next((file for file in sorted(folder.iterdir()) if _is_picture(file)), None)
        if loose is not None:
            raise DataError(
                f"{loose} stands beside class folders ({classes[0].name!r} ...); "
                "expected all images in class folders or all directly in the folder"
            )
    entries = []
    for part, label in parts or [(folder, None)]:
        inside = around if part == folder else _entered(part, around)
        found = [ImageEntry(nfc(file.relative_to(root).as_posix()), file, label) for file in _pictures(part, inside)]
        if not found and label is not None:
            raise DataError(f"class folder {part} holds no images; expected at least one")
        entries += found
    return sorted(entries, key=lambda entry: entry.id)


def _folders(folder: Path) -> list[Path]:
    return sorted(part for part in folder.iterdir() if part.is_dir() and not _hidden(part))


def _pictures(folder: Path, around: frozenset[Path]) -> Iterator[Path]:
    """All images below a folder; an error names the first file that is neither image nor metadata."""
    for part in sorted(folder.iterdir()):
        if part.is_dir() and not _hidden(part):
            yield from _pictures(part, _entered(part, around))
        elif _is_picture(part):
            yield part


def _entered(folder: Path, around: frozenset[Path]) -> frozenset[Path]:
    """The folders that one is in after entering `folder`, links resolved; an error if one was in it already."""
    real = folder.resolve()
    if real in around:
        raise DataError(f"{folder} leads back to {real}, which it lies in; expected no circles", fix=f"rm {folder}")
    return around | {real}


def _is_picture(path: Path) -> bool:
    """Whether a directory entry is an image; an error if it is neither that nor anything one may pass over."""
    suffix = path.suffix.lower()
    if path.is_dir() or _hidden(path) or path.name.lower() in METADATA_NAMES or suffix in METADATA_SUFFIXES:
        return False
    if suffix in SUFFIXES:
        regular_file(path)  # a named pipe would be waited for
        return True
    raise DataError(
        f"{path} is not an image; expected files ending in {', '.join(sorted(SUFFIXES))}",
        fix=f"move {path.name} out of the folder",
    )


def _hidden(path: Path) -> bool:
    return path.name.startswith((".", "__MACOSX"))


def _card(root: Path) -> DatasetCard:
    return DatasetCard(
        name="imagefolder",
        title=root.name,
        licence="not stated; images of the user's own folder",
        citation="",
        source="a folder on this machine",
        named=False,
    )
