"""Faces that a generator draws, with 68 points that dlib finds on them: the answers of a program, not of a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import assets
from ghbench.data import expressions
from ghbench.data.face_attributes import attributes_digest, judged
from ghbench.data.kept_arrays import kept_rows
from ghbench.data.renders import Renders
from ghbench.data.split_rows import by_split, consecutive_splits
from ghbench.dataset import DatasetCard, Target
from ghbench.digests import digest_json, digest_lines
from ghbench.errors import UsageError
from ghbench.generators.first_party import FACES
from ghbench.imaging.face_detection import find_face, models_digest
from ghbench.imaging.face_points import MODELS, PREDICTOR_68, dlib_points68
from ghbench.imaging.ffhq import quad_transform, sample_quad
from ghbench.imaging.transforms import move_points
from ghbench.progress import Progress, current, in_bytes
from ghbench.seeds import RANGES

SIZE = 256
PURPOSES = {"train": "metric-fitting", "test": "test"}
"""Purpose of the seeds of each split."""
TURN, ZOOM, SHIFT = 15.0, 0.15, 0.08
"""Largest changes of jittered images: degrees, share of the size, share of the side."""
_JITTER = 4  # stream of random numbers
COMMON = ("happy", "neutral")
"""Expressions that are targets: of the others generated faces show few."""
_BLOCK = 256  # images whose points are kept together


class GeneratedFaces:
    """Faces drawn by a generator, with the 68 points that dlib finds.

    Ids are `train/seed-0002000000` and `test/seed-0004000000`. Target `points` float64 [N, 68, 2], in pixels, NaN where
    dlib finds no face; `again` the same of the mirrored image, mirrored back: how far dlib agrees with itself.

    Args:
        train: Training images.
        test: Test images.
        size: Side in pixels.
        psi: Truncation.
        jitter: Whether images are turned, scaled and shifted at random, always in the same way.
        attributes: Whether the targets are `age` and `attributes` (sex and expression), as networks judge them, instead
            of points.
        generator: Spec string of the generator; one of faces, aligned as in FFHQ.

    Raises:
        UsageError: A wrong option.
        MissingError: The generator, or dlib and its points, cannot be had on this machine.
    """

    def __init__(
        self,
        train: int = 5_000,
        test: int = 1_000,
        size: int = SIZE,
        psi: float = 1.0,
        jitter: bool = False,
        attributes: bool = False,
        generator: str = f"{FACES}:size={SIZE}",
    ) -> None:
        counts = {"train": train, "test": test}
        if min(counts.values()) < 0 or not sum(counts.values()):
            raise UsageError(f"generated-faces with train={train}, test={test}; expected numbers of images")
        self.jitter, self.attributes = jitter, attributes
        self.parts = {
            split: Renders(generator, count, RANGES[PURPOSES[split]].start, psi, size=size)
            for split, count in counts.items()
            if count
        }
        self.size = next(iter(self.parts.values())).size  # the generator's, where that is smaller
        self._places = [(split, row) for split, part in self.parts.items() for row in range(len(part))]
        self.ids: Sequence[str] = tuple(f"{split}/{self.parts[split].ids[row]}" for split, row in self._places)
        self.splits: Mapping[str, NDArray[np.int64]] = consecutive_splits(
            {split: len(part) for split, part in self.parts.items()}
        )
        drawn = [part.recipe_digest for part in self.parts.values()]
        self.recipe_digest: str | None = digest_json([*drawn, self._moves if jitter else None])

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        drawn = next(iter(self.parts.values())).card()
        return DatasetCard(
            name="generated-faces",
            title=f"{drawn.title}; points by dlib",
            licence=drawn.licence,
            citation=f"{drawn.citation}; points: D. King, Dlib-ml, JMLR 2009",
            source=drawn.source,
            domain="in-generator",
        )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def targets(self) -> Mapping[str, Target]:
        """Points, or age and attributes, of all images; draws them."""
        return self.targets_of(np.arange(len(self)))

    def targets_of(self, rows: NDArray[np.int64]) -> Mapping[str, Target]:
        """Points, or age and attributes, of some images, found once and kept; draws those."""
        if self.attributes:
            return self._judged(rows)
        found = self._kept(rows, models_digest(assets.digest(MODELS, PREDICTOR_68)), self._look, "points on faces")
        if self.jitter:
            moves = [self._transform(row) for row in rows.tolist()]
            found = np.stack([move_points(one, move) for one, move in zip(found, moves, strict=True)])
        names = tuple(map(str, range(68)))
        return {name: Target(name, found[:, place], "pixels", names) for place, name in enumerate(("points", "again"))}

    def draw(self, rows: Sequence[int], progress: Progress) -> None:
        """Draw images that are missing, see `ghbench.dataset.Drawn`."""
        for split, _, own in by_split(self.splits, rows):
            self.parts[split].draw(own.tolist(), progress)

    def image(self, row: int) -> NDArray[np.uint8]:
        """One image: uint8 [size, size, 3] RGB."""
        split, place = self._places[row]
        image = self.parts[split].image(place)
        return sample_quad(image, self._quad(row), self.size)[0] if self.jitter else image

    def identities(self) -> Sequence[str]:
        """Digest of each row's seed, how it is drawn, and how it is moved."""
        own = [identity for part in self.parts.values() for identity in part.identities()]
        return tuple(digest_json([identity, self._moves]) for identity in own) if self.jitter else tuple(own)

    def image_digests(self) -> Sequence[str]:
        """The same as `identities`."""
        return self.identities()

    def codes(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """The true codes of images: W+ float32 [N, rows of W+, w_dim]."""
        found: dict[int, NDArray[np.float32]] = {}
        for split, here, own in by_split(self.splits, rows):
            found |= dict(zip(here.tolist(), self.parts[split].codes(own.tolist()), strict=True))
        return np.stack([found[place] for place in range(len(rows))])

    @property
    def _moves(self) -> list[float]:
        return [TURN, ZOOM, SHIFT]

    def _quad(self, row: int) -> NDArray[np.float64]:
        """The square that becomes a jittered image, see `sample_quad`."""
        split, place = self._places[row]
        draw = np.random.default_rng([_JITTER, self.parts[split].first + place])
        turn, zoom, *shift = draw.uniform(-1, 1, 4) * [np.deg2rad(TURN), ZOOM, SHIFT, SHIFT]
        half = self.size / 2 * (1 + zoom)
        across = half * np.array([np.cos(turn), np.sin(turn)])
        down = np.array([-across[1], across[0]])
        centre = self.size * (0.5 + np.array(shift))
        return np.stack([centre - across - down, centre + across - down, centre - across + down])

    def _transform(self, row: int) -> NDArray[np.float64]:
        return quad_transform(self._quad(row), self.size)

    def _look(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points on an image, before it is moved, and on its mirror image."""
        mirrored = points_or_nan(np.ascontiguousarray(image[:, ::-1]))
        return points_or_nan(image), _mirrored(mirrored, self.size)

    def _judged(self, rows: NDArray[np.int64]) -> Mapping[str, Target]:
        """Age, sex and expression."""
        digest = digest_lines([attributes_digest(), assets.digest(expressions.ASSET)])
        age, male, *shown = self._kept(rows, digest, _said_of_face, "age, sex and expression of faces").T
        likeliest = np.argmax(shown, axis=0)
        known = ~np.isnan(male)
        whether = [male > 0.5, *(likeliest == expressions.NAMES.index(name) for name in COMMON)]
        return {
            "age": Target("age", age, "years", made_by=digest),
            "attributes": Target(
                "attributes", np.where(known, whether, np.nan).T, "whether", ("male", *COMMON), made_by=digest
            ),
        }

    def _kept(
        self, rows: NDArray[np.int64], digest: str, look: Callable[[NDArray[np.uint8]], Any], label: str
    ) -> NDArray[np.float64]:
        """What a program says of images [M, ...]."""
        report = in_bytes(current(), 3 * self.size**2)
        found = None
        for split, here, wanted in by_split(self.splits, rows):
            part = self.parts[split]

            def make(own: range, split: str = split, part: Renders = part) -> Mapping[str, NDArray[Any]]:
                part.draw(own, report)
                said = []
                for row in own:
                    said.append(look(part.image(row)))
                    if len(said) % 50 == 0:
                        report(row + 1, len(part), f"{label}, {split}")
                return {"found": np.array(said, dtype=np.float64)}

            values = kept_rows("points", [part.recipe_digest, digest], wanted, len(part), _BLOCK, make)["found"]
            found = np.empty((len(rows), *values.shape[1:])) if found is None else found
            found[here] = values
        assert found is not None
        return found


def _said_of_face(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Age, probability of a man's face, and those of the expressions [9]; NaN where dlib finds no face."""
    face = find_face(image)
    if not face.detected:
        return np.full(2 + len(expressions.NAMES), np.nan)
    return np.concatenate([judged(face), expressions.expressions(face)])


def points_or_nan(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The 68 points that dlib finds on an image [H, W, 3]: float64 [68, 2]; NaN where it finds no face."""
    face = find_face(image)
    return dlib_points68(face) if face.detected else np.full((68, 2), np.nan)


# Of each of iBUG's points the one that is its image in a mirror.
MIRROR = np.array([
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
    41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
])  # fmt: skip


def _mirrored(points: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Points of a mirrored image [68, 2] as those of the image itself."""
    back: NDArray[np.float64] = points[MIRROR].copy()
    back[:, 0] = width - back[:, 0]
    return back
