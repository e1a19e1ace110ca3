"""A ray tracer for rooms: nearest surface, texture, one lamp with shadows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.cores import usable_cores

from .scene import PLAIN, SURFACES, Boxes, Material, Scene
from .textures import GAMMA, Textures

Floats = NDArray[np.floating[Any]]
RAYS = 2
"""Rays a pixel in each direction."""
PART = 16
"""Images of a part."""
_SMALL = 1e-6
_FADE = 0.3
"""How near a lamp may seem: at distance r it gives 1 / (_FADE + (r / R)^2), R half of the room's mean side."""
_SIDES = np.array([
    [SURFACES.index(name) for name in pair] for pair in (("left", "right"), ("floor", "ceiling"), ("near", "far"))
])  # fmt: skip
# The two axes along a face whose normal is the axis: across and down the texture.
_ACROSS, _DOWN = np.array([2, 0, 0]), np.array([1, 2, 1])


def render(scene: Scene, size: int, textures: Textures) -> NDArray[np.uint8]:
    """Draw a room: uint8 [size, size, 3], sRGB."""
    side = size * RAYS
    rays = scene.camera.rays(side).astype(np.float32)
    origin = scene.camera.place.astype(np.float32)
    distance, axis, upper = walls_hit(scene, origin, rays)
    materials = [*scene.walls, *scene.boxes.materials]
    surface = side_of(axis, upper)
    local = origin + distance[:, None] * rays
    normal = np.zeros_like(rays)
    np.put_along_axis(normal, axis[:, None], np.where(upper, -1, 1).astype(np.float32)[:, None], axis=1)
    first, box, box_axis, box_local, box_normal = boxes_hit(scene.boxes, origin, rays, _shown(scene, side))
    nearer = first < distance
    distance = np.where(nearer, first, distance)
    axis = np.where(nearer, box_axis, axis)
    surface = np.where(nearer, len(SURFACES) + box, surface)
    normal = np.where(nearer[:, None], box_normal, normal)
    local = np.where(nearer[:, None], box_local, local)
    colour = _colours(materials, surface, axis, local, distance * 2 / (scene.camera.focal * side), textures)
    hit = origin + distance[:, None] * rays
    linear = colour * (scene.ambient + _lamp(scene, hit, normal)[:, None] * scene.glow.astype(np.float32))
    pixels = linear.reshape(size, RAYS, size, RAYS, 3).mean(axis=(1, 3))
    drawn: NDArray[np.uint8] = np.rint(255 * np.clip(pixels, 0, 1) ** (1 / GAMMA)).astype(np.uint8)
    return drawn


def rendered_in_parts(image: Callable[[int], NDArray[np.uint8]], numbers: range) -> Iterator[NDArray[np.uint8]]:
    """Images uint8 [n, 3, size, size] of numbers, in parts, drawn by as many threads as there are processors.

    Args:
        image: Draws the image of a number, uint8 [size, size, 3].
        numbers: Numbers.
    """
    with ThreadPoolExecutor(usable_cores()) as pool:
        for first in range(numbers.start, numbers.stop, PART):
            part = range(first, min(first + PART, numbers.stop))
            yield np.stack([drawn.transpose(2, 0, 1) for drawn in pool.map(image, part)])


def walls_hit(scene: Scene, origin: Floats, rays: Floats) -> tuple[Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """Where rays from within the room meet its sides.

    Args:
        scene: The room.
        origin: float32 [3].
        rays: float32 [P, 3].

    Returns:
        Distances float32 [P] in lengths of the ray, the axis of the side's normal, and whether it is the upper one.
    """
    ahead = np.where(np.abs(rays) < _SMALL, np.float32(_SMALL), rays)
    ends: Floats = (np.where(ahead > 0, scene.size.astype(np.float32), np.float32(0)) - origin) / ahead
    axis = ends.argmin(axis=1)
    chosen = np.arange(len(rays)), axis
    return ends[chosen], axis, ahead[chosen] > 0


def side_of(axis: NDArray[np.int64], upper: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Index in `SURFACES` of the sides whose normal is an axis."""
    sides: NDArray[np.int64] = _SIDES[axis, upper.astype(np.int64)]
    return sides


def boxes_hit(
    boxes: Boxes, origin: Floats, rays: Floats, candidates: Sequence[NDArray[np.int64]] | None = None
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
    """The nearest box on each ray.

    Args:
        boxes: All boxes.
        origin: float32 [3].
        rays: float32 [P, 3].
        candidates: For each box the rays that may meet it, int64 [m]; None for all.

    Returns:
        Distances float32 [P], infinite where there is none; the box, the axis of the face's normal, the place on the
        box in its own axes float32 [P, 3], and the normal in the room's.
    """
    count = len(rays)
    best = np.full(count, np.inf, np.float32)
    which, axes = np.zeros(count, np.int64), np.zeros(count, np.int64)
    places, normals = np.zeros_like(rays), np.zeros_like(rays)
    for number, (centre, half, yaw) in enumerate(zip(boxes.centres, boxes.halves, boxes.yaws, strict=True)):
        asked = np.arange(count) if candidates is None else candidates[number]
        turn = _turn(yaw)
        start, ahead, entry, exit_ = _crossing(origin, rays[asked], centre, half, turn)
        axis = entry.argmax(axis=1)
        near = np.take_along_axis(entry, axis[:, None], axis=1)[:, 0]
        kept = np.flatnonzero((near < exit_) & (near > _SMALL) & (near < best[asked]))
        hit, ahead, axis, near = asked[kept], ahead[kept], axis[kept], near[kept]
        best[hit], which[hit], axes[hit] = near, number, axis
        places[hit] = start + near[:, None] * ahead
        own = np.zeros((len(hit), 3), np.float32)
        np.put_along_axis(own, axis[:, None], -np.sign(np.take_along_axis(ahead, axis[:, None], 1)), axis=1)
        normals[hit] = own @ turn.T
    return best, which, axes, places, normals


def in_shadow(boxes: Boxes, points: Floats, lamp: Floats) -> NDArray[np.bool_]:
    """Whether a box stands between points [P, 3] and the lamp [3]."""
    rays = lamp - points
    dark = np.zeros(len(points), np.bool_)
    for centre, half, yaw in zip(boxes.centres, boxes.halves, boxes.yaws, strict=True):
        top = centre[1] + half[1]
        # What lies above a box gets no shadow of it from a lamp that does so too.
        asked = np.flatnonzero(points[:, 1] < top) if lamp[1] > top else np.arange(len(points))
        _, _, entry, far = _crossing(points[asked], rays[asked], centre, half, _turn(yaw))
        near = entry.max(axis=1)
        dark[asked] |= (near < far) & (far > 1e-3) & (near < 1)
    return dark


def _crossing(
    origin: Floats, rays: Floats, centre: NDArray[np.float64], half: NDArray[np.float64], turn: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Start and direction of rays in a box's axes, where they enter each pair of planes [P, 3], and leave all [P]."""
    start, ahead = (origin - centre.astype(np.float32)) @ turn, rays @ turn
    ahead = np.where(np.abs(ahead) < _SMALL, np.float32(_SMALL), ahead)
    reach, middle = half.astype(np.float32) / np.abs(ahead), -start / ahead
    return start, ahead, middle - reach, (middle + reach).min(axis=1)


def _shown(scene: Scene, side: int) -> list[NDArray[np.int64]]:
    """Of each box the rays within the rectangle around its corners; all where a corner is not in front."""
    signs = np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, -1).T
    rays = np.arange(side * side).reshape(side, side)
    found = []
    for centre, half, yaw in zip(scene.boxes.centres, scene.boxes.halves, scene.boxes.yaws, strict=True):
        seen = scene.camera.project(centre + (signs * half) @ _turn(yaw).T) * side
        if np.isnan(seen).any():
            found.append(rays.reshape(-1))
            continue
        low = np.clip(np.floor(seen.min(axis=0)) - 1, 0, side).astype(int)
        high = np.clip(np.ceil(seen.max(axis=0)) + 1, 0, side).astype(int)
        found.append(rays[low[1] : high[1], low[0] : high[0]].reshape(-1))
    return found


def _turn(yaw: float) -> Floats:
    """Matrix [3, 3] whose columns are a box's axes in the room's."""
    cosine, sine = np.cos(yaw), np.sin(yaw)
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]], np.float32)


def _lamp(scene: Scene, points: Floats, normals: Floats) -> Floats:
    """Light that points [P, 3] get from the lamp: float32 [P]."""
    way = scene.light.astype(np.float32) - points
    distance = np.linalg.norm(way, axis=1)
    facing = np.einsum("pc,pc->p", way, normals) / np.maximum(distance, _SMALL)
    faded = _FADE + np.square(distance / (scene.size.mean() / 2))
    lit = np.maximum(facing, 0) / faded
    asked = np.flatnonzero(lit > 0)
    lit[asked[in_shadow(scene.boxes, points[asked] + 1e-3 * normals[asked], scene.light.astype(np.float32))]] = 0
    light: Floats = (scene.intensity * lit).astype(np.float32)
    return light


def _colours(
    materials: list[Material],
    surface: NDArray[np.int64],
    axis: NDArray[np.int64],
    place: Floats,
    width: Floats,
    textures: Textures,
) -> Floats:
    """Linear colours of places on surfaces; `width` is what a ray covers there, in metres."""
    tint = np.array([material.tint for material in materials], np.float32)[surface] ** GAMMA
    texture = np.array([material.texture for material in materials])[surface]
    tile = np.array([material.tile for material in materials], np.float32)[surface]
    offset = np.array([material.offset for material in materials], np.float32)[surface]
    rows = np.arange(len(place))
    flat: Floats = np.stack([place[rows, _ACROSS[axis]], -place[rows, _DOWN[axis]]], axis=1) / tile + offset
    shown = np.flatnonzero(texture != PLAIN)
    tint[shown] *= textures.at(texture[shown], flat[shown], width[shown] / tile[shown, 0])
    return tint
