"""What is known of datasets by their names: in which frame images are compared, and who is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ghbench import registry
from ghbench.data.framed import Framed
from ghbench.dataset import Dataset
from ghbench.spec_string import SpecString

USUAL_SIZE = 128


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a dataset by its name.

    Args:
        size: Side in pixels at which images are compared.
        align: Alignment that brings them there.
        faces: Whether they show faces.
        by_person: Whether their labels are people, which the bootstrap then resamples.
        padding: Black pixels added on each side first, as the generators of such images see them.
        trains: Whether it has training images; None where only the dataset itself can say.
        overlap: What happens to a subject that learned from a dataset of the same name.
    """

    size: int = USUAL_SIZE
    align: str = "none"
    faces: bool = False
    by_person: bool = False
    padding: int = 0
    trains: bool | None = None
    overlap: str = "refuse"


_PEOPLE = Known(align="ffhq", faces=True, by_person=True, trains=False)
# Their training splits are there to be learned from, and a dataset's name alone does not say which split was seen.
_GREY_28 = Known(size=32, padding=2, trains=True, overlap="flag")
KNOWN: Mapping[str, Known] = {
    "fashion-mnist": _GREY_28,
    "mnist-10k": _GREY_28,
    "lfw": _PEOPLE,
    "orl": _PEOPLE,
    "real-faces-mini": _PEOPLE,
}


def known_of(spec: SpecString) -> Known:
    """What is known of the dataset of a spec string; of somebody's own module or file nothing."""
    return KNOWN.get(spec.name, Known()) if spec.attribute is None else Known()


def in_usual_frame(spec: SpecString) -> Dataset:
    """The dataset of a spec string; small images with the border with which networks of 32 px see them."""
    dataset: Dataset = registry.build("dataset", spec)
    known = known_of(spec)
    return Framed(dataset, known.size, "none", known.padding) if known.padding else dataset
