"""One thing about a room drawn anew, all else as it was: exact interventions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ghbench.seeds import purpose_of

from .camera import Camera
from .scene import (
    CLEAR,
    FURNITURE,
    PLAIN,
    WORLDS,
    Boxes,
    Material,
    Scene,
    draw_camera,
    draw_glow,
    draw_lamp,
    draw_material,
    draw_walls,
    furnish,
    sees_a_corner,
)

Draw = Callable[[Scene, np.random.Generator, str, str, Sequence[int], Sequence[int]], Scene]


def materials(
    scene: Scene, rng: np.random.Generator, world: str, purpose: str, textures: Sequence[int], doors: Sequence[int]
) -> Scene:
    """Other textures and colours on walls and furniture."""
    del world, purpose
    again: dict[Material, Material] = {}
    for old in scene.boxes.materials:
        made = draw_material(rng, textures, FURNITURE)
        door = old.texture != PLAIN and old.texture in set(doors)
        again.setdefault(old, old._replace(texture=int(rng.choice(doors)), tint=made.tint) if door else made)
    boxes = replace(scene.boxes, materials=[again[old] for old in scene.boxes.materials])
    return replace(scene, walls=draw_walls(rng, textures), boxes=boxes)


def light(
    scene: Scene, rng: np.random.Generator, world: str, purpose: str, textures: Sequence[int], doors: Sequence[int]
) -> Scene:
    """Another place, strength and colour of the lamp, and other ambient light."""
    del world, purpose, textures, doors
    place, intensity, ambient = draw_lamp(rng, scene.size)
    return replace(scene, light=place, intensity=intensity, ambient=ambient, glow=draw_glow(rng))


def camera(
    scene: Scene, rng: np.random.Generator, world: str, purpose: str, textures: Sequence[int], doors: Sequence[int]
) -> Scene:
    """Another place, direction and focal length of the camera, outside of the furniture."""
    del purpose, textures, doors
    while True:
        found = draw_camera(rng, scene.size, WORLDS[world].eye)
        if sees_a_corner(found, scene.size) and _free(found, scene.boxes):
            return replace(scene, camera=found)


def furniture(
    scene: Scene, rng: np.random.Generator, world: str, purpose: str, textures: Sequence[int], doors: Sequence[int]
) -> Scene:
    """Other furniture."""
    boxes = furnish(rng, scene.size, scene.camera, WORLDS[world], purpose, textures, doors)
    return replace(scene, boxes=boxes)


FACTORS: Mapping[str, Draw] = {"materials": materials, "light": light, "camera": camera, "furniture": furniture}


def intervened(
    scene: Scene, factor: str, world: str, seed: int, textures: Sequence[int], doors: Sequence[int]
) -> Scene:
    """The room of a seed with one factor drawn anew.

    Args:
        scene: The room.
        factor: Key of `FACTORS`.
        world: The room's.
        seed: The room's; each factor has random numbers of its own.
        textures: Numbers of the textures for surfaces.
        doors: Numbers of those for doors and gates.
    """
    rng = np.random.default_rng([list(WORLDS).index(world), seed, 1 + list(FACTORS).index(factor)])
    return FACTORS[factor](scene, rng, world, purpose_of(seed, 1), textures, doors)


def _free(found: Camera, boxes: Boxes) -> bool:
    """Whether a camera stands in no piece of furniture, nor right before one."""
    gap = found.place - boxes.centres
    cosine, sine = np.cos(boxes.yaws), np.sin(boxes.yaws)
    own = np.stack([cosine * gap[:, 0] - sine * gap[:, 2], gap[:, 1], sine * gap[:, 0] + cosine * gap[:, 2]], axis=1)
    beyond = np.maximum(np.abs(own) - boxes.halves, 0)
    return bool((np.linalg.norm(beyond, axis=1) > CLEAR / 2).all())
