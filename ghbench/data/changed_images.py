"""A dataset with every image changed at random, always in the same way: pairs that show the same, without labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ghbench.dataset import Dataset, DatasetCard, Drawn, Target
from ghbench.digests import digest_lines
from ghbench.errors import UsageError
from ghbench.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor

VERSION = 1
"""Grows when a change may give other images."""
KINDS = ("grey", "light", "position", "sensor", "mirror", "side-light", "surroundings", "occlusion", "warp")


class ChangedImages:
    """The images of a dataset, each changed; satisfies `ghbench.dataset.Dataset`.

    Args:
        dataset: The images.
        kind: One of `KINDS`.

    Raises:
        UsageError: There is no such kind.
    """

    def __init__(self, dataset: Dataset, kind: str) -> None:
        if kind not in KINDS:
            raise UsageError(f"there is no change {kind!r}; expected one of {', '.join(KINDS)}")
        self.dataset, self.kind = dataset, kind
        self.ids: Sequence[str] = dataset.ids
        self.targets: Mapping[str, Target] = {}
        self.splits: Mapping[str, NDArray[np.int64]] = {}
        self.recipe_digest: str | None = None

    def card(self) -> DatasetCard:
        """The dataset's own card under another name."""
        from dataclasses import replace

        card = self.dataset.card()
        return replace(card, name=f"{card.name}-{self.kind}", title=f"{card.title}; changed: {self.kind}")

    def __len__(self) -> int:
        return len(self.dataset)

    def draw(self, rows: Sequence[int], progress: Progress) -> None:
        """Draw what the dataset draws, see `ghbench.dataset.Drawn`."""
        if isinstance(self.dataset, Drawn):
            self.dataset.draw(rows, progress)

    def image(self, row: int) -> NDArray[np.uint8]:
        """One changed image: uint8 [H, W, 3] RGB, the same whenever it is asked for."""
        import torch

        from ghbench.generators.rendering import from_uint8, to_uint8

        image = self.dataset.image(row)
        colour = np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else image
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(row * len(KINDS) + KINDS.index(self.kind))
            made = _change(self.kind)(from_uint8(np.ascontiguousarray(colour.transpose(2, 0, 1))[None]))
        return np.ascontiguousarray(to_uint8(made)[0].transpose(1, 2, 0))

    def identities(self) -> Sequence[str]:
        """Of what the image was, and how it was changed."""
        return tuple(
            digest_lines([identity, self.kind, str(row), str(VERSION)])
            for row, identity in enumerate(self.dataset.identities())
        )

    def image_digests(self) -> Sequence[str]:
        """The same as `identities`."""
        return self.identities()


def _change(kind: str) -> Callable[[Tensor], Tensor]:
    """What a kind does to images float [N, 3, H, W] in [-1, 1]."""
    import torch

    from ghbench.changes.degradations import Degradation, degrade
    from ghbench.changes.scene import SceneChange, change_scene, to_grey
    from ghbench.changes.views import occlude, side_light, warp

    def every(images: Tensor) -> Tensor:
        return torch.ones(len(images), dtype=torch.bool)

    still = {"turn": 0.0, "zoom": 0.0, "move": 0.0}
    dark = {"gain": 0.0, "shift": 0.0, "gamma": 0.0, "cast": 0.0}
    changes: dict[str, Callable[[Tensor], Tensor]] = {
        "grey": lambda images: to_grey(images, every(images)),
        "light": lambda images: change_scene(images, SceneChange(share=1.0, grey=0.3, **still))[0],
        "position": lambda images: change_scene(images, SceneChange(share=1.0, grey=0.0, **dark))[0],
        "sensor": lambda images: degrade(images, Degradation(share=0.5, border=0.0)),
        "mirror": lambda images: images.flip(3),
        "side-light": side_light,
        "surroundings": lambda images: degrade(images, Degradation(share=0.0, reflected=1.0)),
        "occlusion": occlude,
        "warp": warp,
    }
    return changes[kind]
