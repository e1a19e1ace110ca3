"""What a room consists of, drawn from a seed: its walls, camera, furniture, materials and light.

Axes: x to the right, y up, z to the far wall; the room's corner at the left, on the floor, behind the camera is 0.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ghbench.seeds import purpose_of

from .camera import Camera
from .furniture import Design, design

Floats = NDArray[np.float64]
SURFACES = ("floor", "ceiling", "left", "far", "right", "near")
"""Sides of the room by number."""
PLAIN = -1
"""Number of the texture of what is painted in one colour."""
CLEAR = 0.6
"""Metres around the camera where no furniture stands."""
_MARGIN = 0.03  # of the frame, inside which a corner must lie
_DESIGNS = 1_000  # of each purpose


class Material(NamedTuple):
    """What a surface looks like.

    Args:
        texture: Number of a texture, `PLAIN` for none.
        tint: Red, green and blue that the texture is multiplied with, linear.
        tile: Metres that the texture spans, width and height.
        offset: Where it starts, as a share of it.
    """

    texture: int
    tint: tuple[float, float, float]
    tile: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes that stand upright in the room.

    Args:
        centres: float64 [B, 3].
        halves: float64 [B, 3], half of the sides.
        yaws: float64 [B], turned about the vertical, in radians.
        materials: One a box.
    """

    centres: Floats
    halves: Floats
    yaws: Floats
    materials: Sequence[Material]


@dataclass(frozen=True, eq=False)
class Scene:
    """A room.

    Args:
        size: float64 [3] width, height and depth in metres.
        camera: From where it is seen.
        boxes: Its furniture.
        walls: Materials of `SURFACES`.
        light: float64 [3] position of the lamp.
        intensity: Its strength.
        ambient: Light that comes from everywhere.
        glow: float64 [3] colour of the lamp, of mean 1.
    """

    size: Floats
    camera: Camera
    boxes: Boxes
    walls: Sequence[Material]
    light: Floats
    intensity: float
    ambient: float
    glow: Floats


@dataclass(frozen=True, slots=True)
class World:
    """Which rooms there are: limits between which measures are uniform.

    Args:
        size: Width, height and depth, from and to.
        eye: Height of the camera as a share of the room's.
        furniture: Kinds of furniture.
        pieces: Largest number of pieces in a room.
    """

    size: tuple[tuple[float, float, float], tuple[float, float, float]]
    eye: tuple[float, float]
    furniture: tuple[str, ...]
    pieces: int


class Look(NamedTuple):
    """Which materials a kind of surface has.

    Args:
        plain: Share that is painted in one colour, without a texture.
        darkest: Least value of the tint.
        saturation: Greatest saturation of the tint.
    """

    plain: float
    darkest: float
    saturation: float


FLOOR, CEILING, WALL = Look(0.1, 0.4, 0.4), Look(0.8, 0.7, 0.15), Look(0.5, 0.5, 0.4)
FURNITURE = Look(0.5, 0.3, 0.7)
WORLDS: Mapping[str, World] = {
    "bedroom": World(
        ((3.0, 2.3, 3.0), (5.5, 3.2, 6.0)), (0.4, 0.7),
        ("bed", "table", "chair", "wardrobe", "sofa", "picture", "shelf", "door", "crates", "cabinet"), 5,
    ),
    "hall": World(
        ((6.0, 3.0, 7.0), (11.0, 5.0, 13.0)), (0.3, 0.6),
        ("pillar", "counter", "crates", "gate", "bench", "table"), 7,
    ),
}  # fmt: skip
"""The second world is for transfer: about twice as large, and mostly with other furniture."""


def draw_scene(world: str, seed: int, textures: Sequence[int], doors: Sequence[int]) -> Scene:
    """The room of a seed.

    Args:
        world: Key of `WORLDS`.
        seed: What it is for, see `ghbench.seeds`, decides which designs of furniture it may hold.
        textures: Numbers of the textures for surfaces.
        doors: Numbers of those for doors and gates.
    """
    limits, rng = WORLDS[world], np.random.default_rng([list(WORLDS).index(world), seed])
    while True:
        size = rng.uniform(*limits.size)
        camera = draw_camera(rng, size, limits.eye)
        if sees_a_corner(camera, size):
            break
    walls, glow = draw_walls(rng, textures), draw_glow(rng)
    boxes = furnish(rng, size, camera, limits, purpose_of(seed, 1), textures, doors)
    return Scene(size, camera, boxes, walls, *draw_lamp(rng, size), glow)


def far_corners(size: Floats) -> Floats:
    """The far wall's corners [4, 3]: left and right on the floor, left and right at the ceiling."""
    return np.array([[x * size[0], y * size[1], size[2]] for y in (0, 1) for x in (0, 1)])


def sees_a_corner(camera: Camera, size: Floats) -> bool:
    """Whether a corner of the far wall is well within the frame."""
    return bool(camera.sees(far_corners(size), _MARGIN).any())


def draw_walls(rng: np.random.Generator, textures: Sequence[int]) -> list[Material]:
    """Materials of `SURFACES`; the far wall may have its own."""
    floor, ceiling = draw_material(rng, textures, FLOOR), draw_material(rng, textures, CEILING)
    walls = [floor, ceiling, *[draw_material(rng, textures, WALL)] * 4]
    if rng.random() < 0.2:
        walls[SURFACES.index("far")] = draw_material(rng, textures, WALL)
    return walls


def draw_glow(rng: np.random.Generator) -> Floats:
    """Colour of the lamp."""
    tone = rng.uniform(0.75, 1.25, 3)
    return np.asarray(tone / tone.mean())


def draw_lamp(rng: np.random.Generator, size: Floats) -> tuple[Floats, float, float]:
    """Position and strength of the lamp, and light that comes from everywhere."""
    place = size * rng.uniform([0.15, 0.6, 0.1], [0.85, 0.95, 0.85])
    return place, float(np.exp(rng.uniform(np.log(0.5), np.log(2.0)))), float(rng.uniform(0.2, 0.4))


def draw_camera(rng: np.random.Generator, size: Floats, eye: tuple[float, float]) -> Camera:
    """A camera near the room's near wall, which looks more or less ahead; it may see no corner."""
    place = size * rng.uniform([0.2, eye[0], 0.04], [0.8, eye[1], 0.35])
    yaw, pitch, field = np.deg2rad(rng.uniform([-25, -12, 60], [25, 8, 80]))
    return Camera(place, float(yaw), float(pitch), float(1 / np.tan(field / 2)))


def draw_material(rng: np.random.Generator, textures: Sequence[int], look: Look) -> Material:
    """What a surface of a kind looks like."""
    painted = rng.random() < look.plain
    level, saturation, hue = rng.uniform([look.darkest, 0.0, 0.0], [0.95, look.saturation, 1.0])
    colour = colorsys.hsv_to_rgb(hue, saturation, level)
    if painted:
        return Material(PLAIN, colour)
    tile, across, down = rng.uniform([0.8, 0.0, 0.0], [2.5, 1.0, 1.0])
    return Material(int(rng.choice(textures)), colour, (tile, tile), (across, down))


def furnish(
    rng: np.random.Generator,
    size: Floats,
    camera: Camera,
    limits: World,
    purpose: str,
    textures: Sequence[int],
    doors: Sequence[int],
) -> Boxes:
    """Furniture at free places, away from the camera.

    Args:
        rng: Random numbers.
        size: Of the room.
        camera: The camera.
        limits: Of the world.
        purpose: Of the designs: `train`, `selection` or `test`.
        textures: Numbers of the textures for surfaces.
        doors: Numbers of those for doors and gates.
    """
    first = _DESIGNS * ["train", "selection", "test"].index(purpose)
    taken: list[tuple[Floats, Floats]] = [(camera.place[[0, 2]] - CLEAR, camera.place[[0, 2]] + CLEAR)]
    centres, halves, yaws, materials = [], [], [], []
    for _ in range(int(rng.integers(1, limits.pieces + 1))):
        piece = design(first + int(rng.integers(_DESIGNS)), limits.furniture)
        place = _placed(rng, piece, size, taken)
        if place is None:
            continue
        spot, yaw = place
        turned = np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])
        own = piece.centres.copy()
        own[:, [0, 2]] = spot + own[:, [0, 2]] @ turned.T
        two = [draw_material(rng, textures, FURNITURE) for _ in range(2)]
        if piece.kind in {"door", "gate"}:
            wide, tall, _ = 2 * piece.halves[0]
            two[0] = Material(int(rng.choice(doors)), two[0].tint, (wide, tall), (0.5, 0.5))
        centres.append(own)
        halves.append(piece.halves)
        yaws.append(np.full(len(own), yaw))
        materials += [two[number] for number in piece.materials]
    if not centres:
        return Boxes(np.empty((0, 3)), np.empty((0, 3)), np.empty(0), ())
    return Boxes(np.concatenate(centres), np.concatenate(halves), np.concatenate(yaws), materials)


def _placed(
    rng: np.random.Generator, piece: Design, size: Floats, taken: list[tuple[Floats, Floats]]
) -> tuple[Floats, float] | None:
    """Where a piece stands, x and z, and how it is turned; None where no free place was found."""
    floor, reach = size[[0, 2]], piece.reach
    if (piece.centres + piece.halves)[:, 1].max() > size[1]:
        return None
    for _ in range(10):
        side = int(rng.integers(3))
        yaw = float(rng.uniform(-np.pi, np.pi)) if piece.stands == "free" else (side - 1) * np.pi / 2
        cosine, sine = abs(np.cos(yaw)), abs(np.sin(yaw))
        half = np.array([cosine * reach[0] + sine * reach[1], sine * reach[0] + cosine * reach[1]])
        if (2 * half > floor).any():
            continue
        spot = half + rng.random(2) * (floor - 2 * half)
        if piece.stands != "free":  # its back touches the left, the far or the right wall
            axis = 1 if side == 1 else 0
            spot[axis] = half[axis] if side == 0 else floor[axis] - half[axis]
        low, high = spot - half, spot + half
        if all((low > end).any() or (high < start).any() for start, end in taken):
            taken.append((low, high))
            return spot, yaw
    return None
