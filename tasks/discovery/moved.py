"""Generated faces, each followed by itself moved along the named directions of a navigator, all by an equal change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import locations, registry
from ghbench.atomic import write_text
from ghbench.data.drawn_by_code import DrawnByCode
from ghbench.dataset import DatasetCard, Target
from ghbench.digests import digest_json
from ghbench.errors import DataError, UsageError
from ghbench.extractor import Navigator, NavigatorSpec
from ghbench.files import read_text
from ghbench.seeds import seeds_for
from ghbench.spec_string import SpecString
from ghbench.store.image_shards import ImageShards

from . import task
from .pictures import Images, Mover

NAVIGATOR = SpecString("contrafeat-binary")
VERSION = 2
"""Grows when a seed may give another picture."""


class MovedFaces(DrawnByCode):
    """Pictures of test seeds, each followed by itself moved along each named direction, in the sense of its name.

    How far is found for each direction alone: so that a network that has trained nothing sees pictures change by as
    much as in the task `discovery`, times `step`. Ids are `seed-0004000000/whole`, `seed-0004000000/fringe`, ...
    Targets are `picture`, the number of the picture, and `row`, the number of the name, -1 for the whole one.

    Args:
        navigator: Spec string of a navigator with names.
        count: Pictures.
        size: Side of the pictures.
        step: Share of the change at which navigators are compared.

    Raises:
        UsageError: Fewer than two pictures, or a navigator without names.
        MissingError: Navigator or generator cannot be had on this machine.
    """

    drawing = "moved faces"

    def __init__(self, navigator: SpecString = NAVIGATOR, count: int = 200, size: int = 128, step: float = 1.0) -> None:
        built: Any = registry.build("extractor", navigator)
        spec = built.spec()
        if not isinstance(built, Navigator) or not isinstance(spec, NavigatorSpec) or spec.space != "w_plus":
            raise UsageError(f"{navigator} has no directions in w_plus")
        names: Mapping[str, tuple[int, float]] = getattr(built, "names", {})
        if count < 2 or step <= 0 or not names:
            raise UsageError(
                f"count={count}, step={step}, {len(names)} names; expected two pictures, a positive step, and names"
            )
        self._navigator, self._spec, self.size, self.step = built, spec, size, step
        self._names, self._seeds, self._each = dict(names), seeds_for("test", count), len(names) + 1
        labels = ("whole", *names)
        self.ids: Sequence[str] = tuple(f"seed-{seed:010d}/{name}" for seed in self._seeds for name in labels)
        self.splits: Mapping[str, NDArray[np.int64]] = {}
        number = np.arange(len(self.ids))
        self.targets: Mapping[str, Target] = {
            "picture": Target("picture", number // self._each, "number of the picture"),
            "row": Target("row", number % self._each - 1, "direction", tuple(names)),
        }
        self._judge = registry.build("extractor", task.JUDGE)
        self._matched = digest_json({
            "directions": spec.directions_digest, "names": {name: list(value) for name, value in names.items()},
            "generator": spec.generator_digest, "judge": self._judge.spec().weights_digest, "target": task.TARGET,
            "tried": task.TRIED, "codes": task.CALIBRATION,
            "size": size, "psi": task.PSI, "version": VERSION,
        })  # fmt: skip
        self.recipe_digest: str | None = digest_json({"matched": self._matched, "step": step})

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        return DatasetCard(
            name="moved-faces",
            title=f"Generated faces, moved along named directions of {self._spec.name}",
            licence=self._spec.licence,
            citation=self._spec.citation,
            source=f"drawn on this machine, psi {task.PSI:g}, {self.size} px",
            domain="in-generator",
        )

    @cached_property
    def _mover(self) -> Mover:
        return Mover(task.generator_of(self._spec, self.size, "cpu"), self._navigator.directions, task.PSI)

    @cached_property
    def scales(self) -> Mapping[str, float]:
        """How far each direction is moved for an equal change; worked out once and kept."""
        path = locations.cache() / "renders" / f"moved-{self._matched}.json"
        kept = _read(path)
        if kept.keys() == self._names.keys():
            return kept
        search, found = task.search(self._judge), {}
        for name, (number, sign) in self._names.items():

            def pair(seed: int, scale: float, number: int = number, sign: float = sign) -> tuple[Images, Images]:
                return self._mover.moved(seed, number, 0), self._mover.moved(seed, number, 2 * sign * scale)

            found[name] = search.scale(pair)
        write_text(path, json.dumps(found))
        return found

    @cached_property
    def _shards(self) -> ImageShards:
        return ImageShards(locations.cache() / "renders" / f"moved-{self.recipe_digest}", range(len(self)), self.size)

    def _drawn(self, rows: range) -> Iterator[NDArray[np.uint8]]:
        scales = self.scales
        for row in rows:
            place, name = divmod(row, self._each)
            number, distance = 0, 0.0
            if name:
                label = list(self._names)[name - 1]
                number, sign = self._names[label]
                distance = 2 * sign * scales[label] * self.step
            yield self._mover.moved(self._seeds[place], number, distance)


def _read(path: Path) -> dict[str, float]:
    """Scales that were kept; none where there is no file, or a damaged one."""
    try:
        found = json.loads(read_text(path))
        return {str(name): float(scale) for name, scale in found.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError, DataError):
        return {}
