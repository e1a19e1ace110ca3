"""Rooms, each followed by itself with one thing drawn anew, as a dataset for the task `interventions`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.data.drawn_by_code import DrawnByCode
from ghbench.dataset import DatasetCard, Target
from ghbench.digests import digest_json
from ghbench.errors import UsageError
from ghbench.seeds import seeds_for
from ghbench.store.image_shards import ImageShards

from .dataset import Rooms
from .interventions import FACTORS, intervened
from .rendering import render, rendered_in_parts
from .textures import Textures

VERSION = 1
"""Grows when an intervention may give another image."""
EACH = len(FACTORS) + 1


class IntervenedRooms(DrawnByCode):
    """Test rooms, each followed by itself with other materials, light, camera or furniture.

    Ids are `room-4000000/whole`, `room-4000000/materials`, ... Targets are `picture`, the number of the room, and
    `row`, the number of what was drawn anew, -1 for nothing.

    Args:
        count: Rooms.
        world: See `ghbench.data.rooms.dataset.Rooms`.
        size: Side of the images in pixels.

    Raises:
        UsageError: Fewer than two rooms, or a wrong option.
        MissingError: The textures cannot be had on this machine.
    """

    drawing = "rooms"

    def __init__(self, count: int = 450, world: str = "bedroom", size: int = 64) -> None:
        if count < 2:
            raise UsageError(f"count={count}; expected two rooms or more")
        self._rooms, self._seeds = Rooms(world, size, train=0, val=0, test=count), seeds_for("test", count)
        names = ("whole", *FACTORS)
        self.ids: Sequence[str] = tuple(f"room-{seed}/{name}" for seed in self._seeds for name in names)
        self.splits: Mapping[str, NDArray[np.int64]] = {}
        number = np.arange(len(self.ids))
        self.targets: Mapping[str, Target] = {
            "picture": Target("picture", number // EACH, "number of the room"),
            "row": Target("row", number % EACH - 1, "what was drawn anew", tuple(FACTORS)),
        }
        self.recipe_digest: str | None = digest_json({"rooms": self._rooms.recipe_digest, "version": VERSION})

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        card = self._rooms.card()
        return DatasetCard(
            name="intervened-rooms", title=f"{card.title}, one thing drawn anew", licence=card.licence,
            citation=card.citation, source=card.source, domain=card.domain,
        )  # fmt: skip

    @cached_property
    def _textures(self) -> Textures:
        return Textures()

    @cached_property
    def _shards(self) -> ImageShards:
        folder = locations.cache() / "rooms" / f"intervened-{self.recipe_digest}"
        return ImageShards(folder, range(len(self)), self._rooms.size)

    def _drawn(self, rows: range) -> Iterator[NDArray[np.uint8]]:
        return rendered_in_parts(self._rendered, rows)

    def _rendered(self, number: int) -> NDArray[np.uint8]:
        row, place = divmod(number, EACH)
        scene, rooms = self._rooms.scene(row), self._rooms
        if place:
            factor = list(FACTORS)[place - 1]
            scene = intervened(scene, factor, rooms.world, self._seeds[row], *self._textures.numbers["test"])
        return render(scene, rooms.size, self._textures)
