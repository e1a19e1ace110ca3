"""What is known of a room's image: corners, edges, surfaces, camera and light, exactly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .rendering import boxes_hit, side_of, walls_hit
from .scene import Scene, far_corners

Floats = NDArray[np.float64]
CORNERS = ("left-floor", "right-floor", "left-ceiling", "right-ceiling")
"""Corners of the far wall."""
LINES = ("far-floor", "far-ceiling", "left", "right", *CORNERS)
"""Edges of the far wall; then those that run from its corners along floor or ceiling to the camera's side."""
CAMERA = ("yaw", "pitch", "height")
LIGHT = ("right", "up", "forward", "intensity")
GRID = 16
"""Side of the map of surfaces."""
OUTSIDE = 0.5
"""Corners further outside the frame than this share of its side count as lying there."""
_ENDS = ((0, 1), (2, 3), (0, 2), (1, 3))
_POINTS = 33  # on each edge, of which one must be visible


class GroundTruth(NamedTuple):
    """What is known of an image.

    Args:
        corners: float64 [4, 2], as shares of the frame.
        visible: bool [4], whether a corner is in the frame with nothing before it.
        lines: float64 [8] directions in the image, from 0 to pi, y upwards.
        lines_visible: bool [8], whether some of a line is.
        surfaces: uint8 [16, 16] side of the room behind the furniture, an index of `SURFACES`.
        camera: float64 [3] yaw and pitch in degrees, height in metres.
        light: float64 [4] direction of the lamp from the room's centre, in the camera's axes, and its intensity.
    """

    corners: Floats
    visible: NDArray[np.bool_]
    lines: Floats
    lines_visible: NDArray[np.bool_]
    surfaces: NDArray[np.uint8]
    camera: Floats
    light: Floats


def ground_truth(scene: Scene) -> GroundTruth:
    """All that is known of the image of a scene."""
    corners, camera = far_corners(scene.size), scene.camera
    ends = [(corners[first], corners[second]) for first, second in _ENDS]
    ends += [(corner, np.array([corner[0], corner[1], camera.place[2]])) for corner in corners]
    share: Floats = np.linspace(0, 1, _POINTS)[:, None]
    points = np.stack([first + share * (second - first) for first, second in ends])
    directions = np.stack([_direction(scene, first, second) for first, second in ends])
    way = camera.axes @ (scene.light - scene.size / 2)
    return GroundTruth(
        corners=np.clip(camera.project(corners, beyond=True), -OUTSIDE, 1 + OUTSIDE),
        visible=_visible(scene, corners),
        lines=np.arctan2(-directions[:, 1], directions[:, 0]) % np.pi,
        lines_visible=np.any(_visible(scene, points.reshape(-1, 3)).reshape(points.shape[:2]), axis=1),
        surfaces=_surfaces(scene),
        camera=np.array([*np.rad2deg([camera.yaw, camera.pitch]), camera.place[1]]),
        light=np.append(way / np.linalg.norm(way), scene.intensity),
    )


def _direction(scene: Scene, first: Floats, second: Floats) -> Floats:
    """Where the image of a line goes at its first point: the derivative of the projection, [2]."""
    own, way = scene.camera.axes @ (first - scene.camera.place), scene.camera.axes @ (second - first)
    moved: Floats = (way[:2] * own[2] - own[:2] * way[2]) * np.array([1, -1])
    return moved


def _visible(scene: Scene, points: Floats) -> NDArray[np.bool_]:
    """Whether points [P, 3] of the walls are in the frame, with no furniture before them."""
    place = scene.camera.place
    hidden = boxes_hit(scene.boxes, place.astype(np.float32), (points - place).astype(np.float32))[0] < 0.999
    return scene.camera.sees(points) & ~hidden


def _surfaces(scene: Scene) -> NDArray[np.uint8]:
    origin, rays = scene.camera.place.astype(np.float32), scene.camera.rays(GRID).astype(np.float32)
    _, axis, upper = walls_hit(scene, origin, rays)
    return side_of(axis, upper).astype(np.uint8).reshape(GRID, GRID)
