"""Which images are evaluated: any registered dataset, its rows for testing, and the frame in which all see it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ghbench import registry
from ghbench.data.framed import Framed
from ghbench.data.known import USUAL_SIZE, Known, known_of
from ghbench.data.subset import Subset
from ghbench.dataset import Dataset, Drawn, labels
from ghbench.errors import UsageError, UserError
from ghbench.files import user_path
from ghbench.generators.first_party import FACES, SIZES
from ghbench.imaging import alignment
from ghbench.plugin_options import validate_options
from ghbench.progress import Progress
from ghbench.seeds import RANGES
from ghbench.spec_string import SpecString, parse
from ghbench.task import Role

if TYPE_CHECKING:
    from ghbench.data.renders import Renders

Images = NDArray[np.uint8]
"""uint8 [N, 3, R, R]."""
RENDERS = SpecString("renders")
JUDGE = SpecString("efficientnet-lite0")
TRAINING_RENDERS = 1_000


@dataclass(frozen=True, eq=False)
class Source:
    """The images of a task.

    Args:
        spec: Spec string of the dataset, canonical.
        size: Side in pixels at which images are compared.
        align: Name of the alignment.
        known: What is known of the dataset.
        training: Images that means and neighbours are taken from; None: 1,000 renders, or the split `train`.
    """

    spec: SpecString
    size: int
    align: str
    known: Known
    training: int | None = None

    @property
    def is_rendered(self) -> bool:
        """Whether the images are renders of a generator, whose codes are known."""
        return self.spec.name == RENDERS.name and self.spec.attribute is None

    @property
    def unit(self) -> str:
        """What the bootstrap resamples, in the plural."""
        return "people" if self.known.by_person else "images"

    @cached_property
    def dataset(self) -> Framed:
        """All images in the frame."""
        spec = self.spec
        if self.is_rendered and "size" not in spec.options:
            spec = SpecString(spec.name, spec.package, options={**spec.options, "size": str(self.size)})
        return Framed(registry.build("dataset", spec), self.size, self.align, self.known.padding)

    @property
    def renders(self) -> Renders | None:
        """The renders that are evaluated, None for other images."""
        from ghbench.data.renders import Renders

        whole = self.dataset.whole if self.is_rendered else None
        return whole if isinstance(whole, Renders) else None

    def role(self) -> Role:
        """The split `test` where the dataset has one, else all rows."""
        return Role(self.dataset, "test" if "test" in self.dataset.splits else None)

    def rows(self, dataset: Dataset) -> list[int]:
        """Rows, in the whole, of a part of it."""
        place = {name: row for row, name in enumerate(self.dataset.ids)}
        return [place[name] for name in dataset.ids]

    def units(self, dataset: Dataset) -> NDArray[np.int64]:
        """Unit of each image, int64 [N]: its person where labels are people, else its row."""
        return labels(dataset).values if self.known.by_person else np.asarray(self.rows(dataset), dtype=np.int64)

    @cached_property
    def trains(self) -> bool:
        """Whether there are training images, so that rows can be made of them."""
        if self.training == 0:
            return False
        found = self.known.trains
        if found is None:
            try:
                found = "train" in self.dataset.splits
            except UserError:  # the dataset cannot be had; `role` will say so
                return False
        if self.training and not found:
            raise UsageError(f"{self.spec.name} has no training images for training={self.training}", fix="training=0")
        return found

    def training_images(self) -> Dataset:
        """What means and neighbours are taken from where `trains`: training seeds, or the split `train`."""
        whole, renders, count = self.dataset, self.renders, self.training
        if renders is not None:
            # The head draws a thousand images in the time that the whole network takes for thirty.
            generator = headed_generator(self)
            fast = {} if generator is None else {"generator": generator, "size": self.size}
            drawn = renders_like(renders, count=count or TRAINING_RENDERS, first=RANGES["train"].start, **fast)
            return Framed(drawn, self.size, self.align)
        rows = whole.splits["train"]
        if count is not None and count < len(rows):
            rows = rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]  # spread: files are sorted by class
        return Subset(whole, rows)

    def describe(self) -> dict[str, Any]:
        """Entries of a protocol."""
        usual = TRAINING_RENDERS if self.is_rendered else "the split train"
        return {
            "dataset": str(self.spec.at_any_path()),
            "size": self.size,
            # Images come in the frame, aligned already; nothing may align them again.
            "align": "none",
            "frame": {"align": self.align, "padding": self.known.padding, "resize": "crop-bilinear"},
            "rows": "the split test where the dataset has one, else all",
            "training_images": (usual if self.training is None else self.training) if self.trains else 0,
            "training_overlap": self.known.overlap,
        }


def headed_generator(source: Source) -> str | None:
    """The generator that draws faces at a source's size by a head of its own; None for other sizes and generators."""
    faces = source.is_rendered and source.spec.options.get("generator", FACES) == FACES
    return f"{FACES}:size={source.size}" if faces and source.size in SIZES[:-1] else None


def renders_like(renders: Renders, **changes: Any) -> Renders:
    """Other renders, drawn in the same way but for what changes."""
    from ghbench.data.renders import Renders

    names = ("generator", "count", "first", "psi", "mixed", "size")
    return Renders(**{**{name: getattr(renders, name) for name in names}, **changes})


def image_source(
    dataset: SpecString | str, size: int | None = None, align: str | None = None, training: int | None = None
) -> Source:
    """The source that a task's options name.

    Args:
        dataset: Spec string of any dataset.
        size: Side in pixels, None for the dataset's usual one.
        align: Name of the alignment, None for the usual one.
        training: See `Source`.

    Raises:
        UsageError: No such dataset, option or alignment, or a size or number that cannot be.
    """
    spec = simplified(parse(dataset) if isinstance(dataset, str) else dataset)
    known = known_of(spec)
    if spec.name == RENDERS.name and spec.attribute is None:
        from ghbench.generators.loading import generator_plugin

        generator = spec.options.get("generator", FACES)
        most = USUAL_SIZE if generator == FACES else min(USUAL_SIZE, generator_plugin(generator).spec().size)
        known = Known(int(spec.options.get("size", most)), faces=parse(generator).name == FACES, trains=True)
    size, align = size or known.size, align or known.align
    if not 16 <= size <= 1024 or (training is not None and training < 0):
        raise UsageError(f"size={size} and training={training}; expected 16 to 1024 pixels, and 0 images or more")
    alignment(align)
    return Source(spec, size, align, known, training)


def simplified(spec: SpecString) -> SpecString:
    """A dataset's spec string with whole paths, without the options that have their default value.

    Raises:
        UsageError: No such dataset or option.
    """
    if spec.attribute is not None:
        return spec
    target = registry.find("dataset", spec).load()
    arguments, parameters = validate_options(target, spec), inspect.signature(target).parameters
    usual = {key for key, value in arguments.items() if key in parameters and parameters[key].default == value}
    paths = {key: str(user_path(value).absolute()) for key, value in arguments.items() if isinstance(value, Path)}
    return replace(spec, options={**spec.options, **paths}).without(*usual)


def task_name(task: str, source: Source, judge: SpecString) -> str:
    """Canonical spec string of a task: options that have their default value are left out."""
    options: dict[str, str] = {}
    for key, spec, usual in (("dataset", source.spec, RENDERS), ("judge", judge, JUDGE)):
        if spec != usual:
            options[key] = str(spec.without(*spec.options))
            options |= {f"{key}.{name}": value for name, value in spec.options.items()}
    given = {"size": source.size, "align": source.align, "training": source.training}
    default = {"size": source.known.size, "align": source.known.align, "training": None}
    options |= {key: str(value) for key, value in given.items() if value != default[key]}
    return str(SpecString(task, options=options))


def images_of(dataset: Dataset, progress: Progress, source: Source | None = None) -> tuple[Images, tuple[str, ...]]:
    """All images of a dataset in a frame, and what a reader should know of them.

    Args:
        dataset: The images, all of one size.
        progress: Called while they are drawn and decoded.
        source: Where they are from, to count those without a face.
    """
    if isinstance(dataset, Drawn):
        dataset.draw(range(len(dataset)), progress)
    label, images, fallbacks = f"images of {dataset.card().name}", [], 0
    rows = range(len(dataset)) if source is None else source.rows(dataset)
    for done, row in enumerate(rows):
        if not done % 100:
            progress(done, len(rows), label)
        if source is None:
            images.append(dataset.image(row).transpose(2, 0, 1))
            continue
        framed = source.dataset.framed(row)
        images.append(framed.image)
        fallbacks += framed.fallback
    progress(len(rows), len(rows), label)
    notes = (f"no face was found in {fallbacks} of {len(rows)} images; a fixed box stood in for it",) * bool(fallbacks)
    return np.ascontiguousarray(np.stack(images)), notes
