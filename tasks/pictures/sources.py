"""Which pictures are reconstructed, how they are framed, and what else is known of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import UsageError
from ghbench.extractor import Preprocessing
from ghbench.generators.first_party import FACES
from ghbench.imaging import prepare
from ghbench.seeds import RANGES
from ghbench.spec_string import SpecString

if TYPE_CHECKING:
    from ghbench.data.renders import Renders
    from ghbench.dataset import Dataset

Pictures = NDArray[np.uint8]
"""uint8 [N, 3, R, R]."""

ALL = ("renders", "real-faces-mini", "orl", "fashion-mnist", "imagefolder")
HEAD_SIZES = (64, 128, 256)
"""Sizes at which MobileStyleGAN has a head of ours, whose own error is the floor."""
FASHION_SIZE = 32
COMPONENTS = 5_120
"""Principal components beside reconstructions: the numbers of GH-Feat's codes at 128 px."""
COMPONENT_SIZE = 64
"""Side of the pictures that they are of: a few thousand pictures hold no finer detail."""
COMPONENT_PICTURES = 6
"""Pictures that they are of, for each training render."""


@dataclass(frozen=True)
class RenderOptions:
    """Which renders.

    Args:
        generator: Name of the generator.
        psi: Truncation.
        mixed: Share of pictures with codes of two z.
        count: Pictures to reconstruct.
        training: Pictures of seeds from 0 up that the nearest one is looked for among.
    """

    generator: str
    psi: float
    mixed: float
    count: int
    training: int


@dataclass(frozen=True)
class PictureSource:
    """Pictures to reconstruct.

    Args:
        name: One of `ALL`.
        size: Side in pixels at which outputs and targets are compared.
        align: Alignment of targets and inputs.
        load: Gives the dataset.
        faces: Whether they show faces.
        by_person: Whether labels are people, which the bootstrap then resamples.
        training: Gives the pictures that means and neighbours are taken from; None: there are none.
        renders: What the renders are, None for other pictures.
        overlap: What happens to an extractor that learned from a dataset of the same name.
    """

    name: str
    size: int
    align: str
    load: Callable[[], Dataset]
    faces: bool
    by_person: bool = False
    training: Callable[[], Pictures] | None = None
    renders: RenderOptions | None = None
    overlap: str = "refuse"
    described: dict[str, Any] = field(default_factory=dict)

    @property
    def components(self) -> tuple[str, ...]:
        """Spec string of principal components of training renders, as many as GH-Feat's codes have numbers.

        So many need more pictures than are drawn by the whole network, so a head draws them where there is one.
        () without training renders; fewer components where the pictures or their pixels do not give so many.
        """
        options = self.renders
        if options is None or options.training < 2:
            return ()
        side = min(self.size, COMPONENT_SIZE)
        headed = options.generator == FACES
        generator, drawn = (f"{FACES}:size={COMPONENT_SIZE}", side) if headed else (options.generator, self.size)
        count = COMPONENT_PICTURES * options.training
        fit = {"generator": generator, "count": count, "first": 0, "size": drawn}
        fit |= {"psi": f"{options.psi:g}", "mixed": f"{options.mixed:g}"}
        given = {"fit": "renders", **{f"fit.{key}": str(value) for key, value in fit.items()}}
        most = min(COMPONENTS, count - 1, 3 * side**2)
        given |= {"colour": "true", "components": str(most), "size": str(side)}
        return (str(SpecString("eigenfaces", options=given)),)

    @cached_property
    def dataset(self) -> Dataset:
        """The pictures."""
        return self.load()

    def prepared(self, dataset: Dataset) -> Pictures:
        """Pictures of a dataset in the source's frame and size, uint8 [N, 3, R, R]."""
        wanted = Preprocessing((self.size, self.size))
        return np.stack([prepare(dataset.image(row), wanted, self.align).image for row in range(len(dataset))])

    def renderer(self, generator: str, **options: Any) -> Renders:
        """Pictures of a generator at the source's size."""
        from ghbench.data.renders import Renders

        return Renders(generator, size=self.size, **options)


def picture_source(
    on: str, size: int | None, align: str | None, path: Path | None, renders: RenderOptions
) -> PictureSource:
    """The source that a task's options name.

    Args:
        on: One of `ALL`.
        size: Side in pixels; None: 128, Fashion-MNIST 32.
        align: Alignment; None: `ffhq` for photographs of faces, else `none`.
        path: The folder of `imagefolder`.
        renders: What the renders are.

    Raises:
        UsageError: Unknown source, or options that do not fit it.
    """
    if on not in ALL:
        raise UsageError(f"reconstruction on={on!r}; expected one of {', '.join(ALL)}")
    if (on == "imagefolder") != (path is not None):
        raise UsageError("path= is the folder of on=imagefolder", fix="reconstruction:on=imagefolder,path=FOLDER")
    if size is not None and not 16 <= size <= 1024:
        raise UsageError(f"size={size}; expected 16 to 1024 pixels")
    if on in {"renders", "fashion-mnist"} and align not in {None, "none"}:
        raise UsageError(f"the pictures of {on} are in their frame already", fix="leave align out")
    if on == "renders":
        return _renders(size or 128, renders)
    if on == "fashion-mnist":
        return _fashion(size or FASHION_SIZE)
    if on == "imagefolder":
        return PictureSource(on, size or 128, align or "none", lambda: _folder(path), faces=False)
    load = {"orl": _orl, "real-faces-mini": _real_faces}[on]
    return PictureSource(on, size or 128, align or "ffhq", load, faces=True, by_person=True)


def _renders(size: int, options: RenderOptions) -> PictureSource:
    from ghbench.data.renders import Renders

    def drawn(**which: int) -> Renders:
        return Renders(options.generator, psi=options.psi, mixed=options.mixed, size=size, **which)

    return PictureSource(
        "renders",
        size,
        "none",
        lambda: drawn(count=options.count),
        faces=options.generator == FACES,
        training=(lambda: drawn(count=options.training, first=0).pixels()) if options.training else None,
        renders=options,
        described={
            "generator": options.generator,
            "psi": options.psi,
            "mixed": options.mixed,
            "seeds": f"from {RANGES['test'].start:,}, {options.count}",
            "training_seeds": f"from {RANGES['train'].start}, {options.training}",
        },
    )


def _fashion(size: int) -> PictureSource:
    if size != FASHION_SIZE:
        raise UsageError(f"Fashion-MNIST is reconstructed at 32 px, not {size}", fix="leave size out")
    return PictureSource(
        "fashion-mnist",
        size,
        "none",
        lambda: _padded_fashion("test"),
        faces=False,
        training=_fashion_training,
        # Its training split is there to be learned from; the name alone does not say which split was seen.
        overlap="flag",
        described={"split": "test", "padding": "28 to 32 px with black, as generators of 32 px see it"},
    )


def _padded_fashion(split: str) -> Dataset:
    from ghbench.data.fashion_mnist import CARD, CLASSES, FashionMnist
    from ghbench.data.grey_images import GreyImages
    from ghbench.dataset import labels

    whole = FashionMnist()
    rows = whole.splits[split]
    pixels = np.pad(whole.pixels()[rows], ((0, 0), (2, 2), (2, 2)))
    names = [whole.ids[row] for row in rows]
    return GreyImages(CARD, names, pixels, labels(whole).values[rows], CLASSES, {split: np.arange(len(rows))})


def _fashion_training() -> Pictures:
    from ghbench.data.fashion_mnist import FashionMnist

    whole = FashionMnist()
    pixels = np.pad(whole.pixels()[whole.splits["train"]], ((0, 0), (2, 2), (2, 2)))
    return np.broadcast_to(pixels[:, None], (len(pixels), 3, *pixels.shape[1:]))


def _folder(path: Path | None) -> Dataset:
    from ghbench.data.imagefolder import ImageFolder

    assert path is not None
    return ImageFolder(path)


def _orl() -> Dataset:
    from ghbench.data.orl import Orl

    return Orl()


def _real_faces() -> Dataset:
    from ghbench.data.real_faces_mini import RealFacesMini

    return RealFacesMini()
