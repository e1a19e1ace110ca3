"""Verification tasks over datasets of faces: ORL, LFW, and any pairs file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ghbench.dataset import labels
from ghbench.files import user_path
from ghbench.spec_string import SpecString

from .pair_sets import PairSet, every_pair, identity_disjoint_draws, one_draw
from .task import VerificationTask

if TYPE_CHECKING:
    from ghbench.data.pair_list import PairList
    from ghbench.dataset import Dataset

FOLD_DRAWS = 20
ORL_PAIRS_FILE = Path(__file__).parent / "orl_pairs.txt"


def orl(
    pairs: Literal["all", "official", "all-people"] = "all", flip: bool = False, align: str | None = None
) -> VerificationTask:
    """Verify faces of ORL: 40 people, 10 images each.

    Args:
        pairs: `all`: the 1,800 matched and, for each of 20 seeded divisions of the people into ten folds, the 6,000
            mismatched pairs within folds; `official`: the committed file in LFW's format, 180 + 180 pairs a fold;
            `all-people`: all 79,800 pairs without folds.
        flip: Average features over the image and its mirror image.
        align: One alignment for all extractors, instead of the one that each declares.
    """
    load = {"all": _orl_all, "official": _orl_official, "all-people": _orl_all_people}[pairs]
    return VerificationTask(
        name=_name("orl", pairs=None if pairs == "all" else pairs, align=align, flip=flip),
        load_dataset=cache(_orl_dataset),
        load_pairs=load,
        pairs_protocol={"dataset": "orl", **_ORL_PROTOCOLS[pairs], **({} if align is None else {"align": align})},
        main="auc" if pairs == "all-people" else "accuracy",
        folds=pairs == "official",
        flip=flip,
    )


def lfw(
    version: Literal["funneled", "original", "deepfunneled"] = "funneled", root: Path | None = None, flip: bool = False
) -> VerificationTask:
    """Verify faces of Labeled Faces in the Wild, View 2: ten folds of 300 matched and 300 mismatched pairs.

    Args:
        version: Which alignment of LFW's images.
        root: Folder that holds them, by default where ghbench keeps or fetches them.
        flip: Average features over the image and its mirror image.
    """

    @cache
    def dataset() -> Dataset:
        from ghbench.data.lfw import Lfw

        return Lfw(version, root)

    return VerificationTask(
        # Images that the user brings may be any; only those that ghbench finds by digest are called LFW alone.
        name=_name(
            "lfw",
            version=None if version == "funneled" else version,
            root=None if root is None else str(_whole(root)),
            flip=flip,
        ),
        load_dataset=dataset,
        load_pairs=lambda images: _folds_of_file(images.pairs(), images),  # type: ignore[attr-defined]
        pairs_protocol={"dataset": "lfw", "version": version, "pairs": "pairs.txt of View 2", "folds": 10},
        folds=True,
        flip=flip,
    )


def johns(flip: bool = False, align: str | None = None) -> VerificationTask:
    """Verify colour photographs of faces: five men, 11 each, from dlib's examples; too few people to rank by.

    Args:
        flip: Average features over the image and its mirror image.
        align: One alignment for all extractors, instead of the one that each declares.
    """
    return VerificationTask(
        name=_name("johns", align=align, flip=flip),
        load_dataset=cache(_johns_dataset),
        load_pairs=lambda images: every_pair(labels(images).values),
        pairs_protocol={
            "dataset": "real-faces-mini:sources=dlib, its people of several images",
            "pairs": "all: 275 matched, 1,210 mismatched",
            "folds": 0,
            **({} if align is None else {"align": align}),
        },
        main="auc",
        flip=flip,
    )


def pairs(path: Path, images: Path, flip: bool = False) -> VerificationTask:
    """Verify the pairs of any file in LFW's format, over images in LFW's layout.

    Args:
        path: Pairs file.
        images: Folder with a sub-folder a person.
        flip: Average features over the image and its mirror image.
    """

    @cache
    def dataset() -> Dataset:
        from ghbench.data.pair_files import PairImages

        return PairImages(path, images)

    def folds(loaded: Dataset) -> PairSet:
        from ghbench.data.pair_files import read_pairs

        return _folds_of_file(read_pairs(path), loaded)

    return VerificationTask(
        name=_name("pairs", path=str(_whole(path)), images=str(_whole(images)), flip=flip),
        load_dataset=dataset,
        load_pairs=folds,
        pairs_protocol={"dataset": "pairs", "pairs": "a file in LFW's format, its own folds"},
        folds=True,
        flip=flip,
    )


_ORL_PROTOCOLS: dict[str, dict[str, Any]] = {
    "all": {
        "pairs": "all within folds: 1,800 matched, 6,000 mismatched",
        "folds": 10,
        "people_per_fold": 4,
        "fold_draws": FOLD_DRAWS,
        "fold_seeds": [0, FOLD_DRAWS - 1],
    },
    "official": {"pairs": "orl_pairs.txt, 180 matched and 180 mismatched a fold", "folds": 10, "people_per_fold": 4},
    "all-people": {"pairs": "all: 1,800 matched, 78,000 mismatched", "folds": 0},
}


def _orl_dataset() -> Dataset:
    from ghbench.data.orl import Orl

    return Orl()


def _johns_dataset() -> Dataset:
    from ghbench.data.real_faces_mini import RealFacesMini
    from ghbench.data.subset import Subset

    photographs = RealFacesMini("dlib")
    people = labels(photographs).values
    return Subset(photographs, np.flatnonzero(np.bincount(people)[people] > 1))


def _orl_all(dataset: Dataset) -> PairSet:
    from ghbench.data.orl_pairs import fold_people

    return identity_disjoint_draws(labels(dataset).values, [fold_people(seed) for seed in range(FOLD_DRAWS)])


def _orl_official(dataset: Dataset) -> PairSet:
    from ghbench.data.pair_files import read_pairs

    return _folds_of_file(read_pairs(ORL_PAIRS_FILE), dataset)


def _orl_all_people(dataset: Dataset) -> PairSet:
    return every_pair(labels(dataset).values)


def _folds_of_file(listed: PairList, dataset: Dataset) -> PairSet:
    found = listed.resolve(dataset)
    return one_draw(found.left, found.right, found.same, found.fold)


def _name(task: str, *, flip: bool, **options: str | None) -> str:
    given = {key: value for key, value in options.items() if value is not None}
    return str(SpecString(task, options={**given, **_flip(flip=flip)}))


def _whole(path: Path) -> Path:
    """The same place from every working directory."""
    return user_path(path).absolute()


def _flip(*, flip: bool) -> dict[str, str]:
    return {"flip": "true"} if flip else {}
