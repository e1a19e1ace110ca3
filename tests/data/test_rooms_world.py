"""Rooms: the camera, what rays meet, and answers that agree with the pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ghbench_tasks.discovery.interventions import interventions

from ghbench import registry
from ghbench.data.rooms import dataset as dataset_module
from ghbench.data.rooms.camera import Camera
from ghbench.data.rooms.dataset import Rooms
from ghbench.data.rooms.furniture import KINDS, design
from ghbench.data.rooms.ground_truth import GRID, ground_truth
from ghbench.data.rooms.intervened import IntervenedRooms
from ghbench.data.rooms.interventions import FACTORS, intervened
from ghbench.data.rooms.rendering import boxes_hit, in_shadow, render
from ghbench.data.rooms.scene import PLAIN, SURFACES, WORLDS, Boxes, Material, Scene, draw_scene, far_corners
from ghbench.data.rooms.textures import DOORS, TEST, VALIDATION, Textures
from ghbench.dataset import Dataset, Drawn
from ghbench.errors import UsageError
from ghbench.progress import silent
from ghbench.running import runner
from ghbench.running.options import RunOptions

COLOURS = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1))
NOTHING = Boxes(np.empty((0, 3)), np.empty((0, 3)), np.empty(0), ())


def scene(*, boxes=NOTHING, yaw=0.0, pitch=0.0, focal=1.0, place=(2.0, 1.5, 1.0), size=(4.0, 3.0, 5.0)):
    """A room with a colour of its own for each side, in even light."""
    return Scene(
        size=np.array(size),
        camera=Camera(np.array(place), yaw, pitch, focal),
        boxes=boxes,
        walls=[Material(PLAIN, colour) for colour in COLOURS],
        light=np.array([2.0, 2.8, 2.5]),
        intensity=0.0,
        ambient=1.0,
        glow=np.ones(3),
    )


def box(centre, half, yaw=0.0):
    return Boxes(np.array([centre]), np.array([half]), np.array([yaw]), [Material(PLAIN, (1, 1, 1))])


class NoTextures:
    """For scenes that are painted only."""

    def at(self, texture, place, width):
        assert not len(texture)
        return np.empty((0, 3))


def test_a_camera_that_looks_straight_ahead_sees_the_middle_of_the_wall_in_the_middle():
    camera = scene().camera
    assert camera.project(np.array([2.0, 1.5, 5.0])) == pytest.approx([0.5, 0.5])
    # At a focal length of half the frame, a metre to the side at a distance of four is an eighth of the frame away.
    assert camera.project(np.array([3.0, 1.5, 5.0])) == pytest.approx([0.625, 0.5])
    assert camera.project(np.array([2.0, 2.5, 5.0])) == pytest.approx([0.5, 0.375]), "up is up"
    assert np.isnan(camera.project(np.array([2.0, 1.5, 0.0]))).all(), "behind"


@pytest.mark.parametrize(("yaw", "pitch"), [(0.4, 0.0), (0.0, 0.2), (-0.3, -0.15)])
def test_rays_go_where_points_are_seen(yaw, pitch):
    camera = scene(yaw=yaw, pitch=pitch, focal=1.4).camera
    assert np.allclose(camera.axes @ camera.axes.T, np.eye(3))
    seen = camera.project(camera.place + 3.0 * camera.rays(8))
    assert np.allclose(seen, [((column + 0.5) / 8, (row + 0.5) / 8) for row in range(8) for column in range(8)])
    ahead = camera.axes[2]
    assert (np.sign(ahead[0]), np.sign(ahead[1])) == (np.sign(yaw), np.sign(pitch)), "right and up are positive"


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (0.35, -0.2), (-0.4, 0.1)])
def test_surfaces_and_corners_are_those_of_the_pixels(yaw, pitch):
    room = scene(yaw=yaw, pitch=pitch)
    known, size = ground_truth(room), 128
    image = render(room, size, NoTextures())
    whole = size // GRID
    centres = image[whole // 2 :: whole, whole // 2 :: whole].reshape(-1, 3)
    sure = (centres[:, None] == 255 * np.array(COLOURS)).all(axis=2)
    matched = sure.any(axis=1)
    assert matched.mean() > 0.8, "the others are at an edge"
    agreed = sure.argmax(axis=1)[matched] == known.surfaces.reshape(-1)[matched]
    assert agreed.mean() > 0.98, "those pixels lie half a pixel from the middle of their square of the map"
    for corner, seen in zip(known.corners, known.visible, strict=True):
        if seen:
            column, row = (corner * size).astype(int)
            around = image[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3].reshape(-1, 3)
            assert len({tuple(pixel) for pixel in around.tolist() if tuple(pixel) in PURE}) == 3, "three sides meet"


def test_corners_behind_the_camera_are_beyond_the_frame_on_their_side():
    room = scene(yaw=0.9, size=(12.0, 3.0, 2.0), place=(11.5, 1.5, 0.3))
    known = ground_truth(room)
    assert np.isnan(room.camera.project(far_corners(room.size))).any()
    assert np.isfinite(known.corners).all()
    left = known.corners[[0, 2], 0]
    assert (left == -0.5).all(), left


PURE = {tuple(255 * channel for channel in colour) for colour in COLOURS}


def test_lines_run_through_their_corners():
    room = scene(yaw=0.3, pitch=-0.1)
    known, corners = ground_truth(room), room.camera.project(far_corners(room.size))
    for line, (first, second) in zip(known.lines, ((0, 1), (2, 3), (0, 2), (1, 3)), strict=False):
        right, down = corners[second] - corners[first]
        assert np.cos(2 * line) == pytest.approx(np.cos(2 * np.arctan2(-down, right)), abs=1e-6)
    near = room.camera.project(far_corners(room.size) - np.array([0, 0, 0.5]))
    for line, start, end in zip(known.lines[4:], corners, near, strict=True):
        right, down = end - start
        assert np.cos(2 * (line - np.arctan2(-down, right))) == pytest.approx(1, abs=1e-6)


def test_a_box_is_met_where_small_steps_along_the_ray_meet_it():
    draw = np.random.default_rng(0)
    boxes = box([0.2, 0.1, 3.0], [0.6, 0.4, 0.3], yaw=0.7)
    rays = np.concatenate([draw.uniform(-0.5, 0.5, (200, 2)), np.ones((200, 1))], axis=1).astype(np.float32)
    met, _, _, places, normals = boxes_hit(boxes, np.zeros(3, np.float32), rays)
    turn = np.array([[np.cos(0.7), 0, np.sin(0.7)], [0, 1, 0], [-np.sin(0.7), 0, np.cos(0.7)]])
    steps = np.arange(1.5, 4.5, 0.001)
    for ray, distance in zip(rays, met, strict=True):
        inside = (np.abs((steps[:, None] * ray - boxes.centres[0]) @ turn) < boxes.halves[0]).all(axis=1)
        found = steps[inside.argmax()] if inside.any() else np.inf
        assert distance == pytest.approx(found, abs=0.01) or (inside.sum() < 20 and not np.isfinite(distance))
    hit = np.isfinite(met)
    assert 20 < hit.sum() < 180
    assert (np.einsum("pc,pc->p", normals[hit], rays[hit]) < 0).all(), "its front is seen"
    assert np.isclose(np.abs(places[hit] / boxes.halves[0]).max(axis=1), 1, atol=1e-4).all(), "on its surface"


def test_what_stands_before_a_corner_hides_it():
    bare = scene(yaw=-0.4)
    known = ground_truth(bare)
    number = int(known.visible.argmax())
    assert known.visible[number]
    halfway = (bare.camera.place + far_corners(bare.size)[number]) / 2
    hidden = ground_truth(replace(bare, boxes=box(halfway, [0.1, 0.1, 0.1])))
    assert not hidden.visible[number]
    assert np.array_equal(hidden.corners, known.corners), "where it is, is known all the same"
    assert np.array_equal(hidden.surfaces, known.surfaces), "surfaces are those behind furniture"


def test_a_shadow_lies_behind_what_the_lamp_shines_on():
    lamp = np.array([0, 4, 0], np.float32)
    points = np.array([[0, 0, 0], [0, 0, 3], [0, 3, 0]], np.float32)
    assert in_shadow(box([0, 1, 0], [0.5, 0.2, 0.5]), points, lamp).tolist() == [True, False, False]
    low = np.array([0, 0.5, 0], np.float32)
    points = np.array([[3, 0.5, 0], [3, 3, 0]], np.float32)
    assert in_shadow(box([1, 0.5, 0], [0.2, 0.4, 0.2]), points, low).tolist() == [True, False]


def test_brightness_falls_with_the_lamp():
    lit = replace(scene(), ambient=0.1, intensity=0.5)
    dark = replace(lit, intensity=0.25)
    assert (render(lit, 32, NoTextures()) >= render(dark, 32, NoTextures())).all()


def test_designs_are_measures_in_metres_on_the_floor():
    for kind in KINDS:
        for number in range(5):
            made = design(number, (kind,))
            assert np.array_equal(made.centres, design(number, (kind,)).centres)
            assert (made.halves > 0).all()
            assert (made.centres - made.halves)[:, 1].min() >= 0
            assert made.reach.max() < 2.5


@pytest.mark.parametrize("world", WORLDS)
def test_furniture_stands_in_the_room_and_not_in_the_camera(world):
    for seed in range(30):
        room = draw_scene(world, seed, [0, 1], [2])
        spread = room.boxes.halves[:, [0, 2]].sum(axis=1) if len(room.boxes.yaws) else np.zeros(0)
        assert (room.boxes.centres <= room.size).all()
        assert (room.boxes.centres >= 0).all()
        ahead = np.linalg.norm((room.boxes.centres - room.camera.place)[:, [0, 2]], axis=1)
        assert (ahead + spread > 0.6).all()
        assert room.camera.sees(far_corners(room.size)).any()
        assert len(room.walls) == len(SURFACES)


def test_textures_of_training_validation_and_test_are_others(own_cache_with_textures):
    textures = Textures()
    assert len(textures.names) == 45
    assert {*DOORS, *VALIDATION, *TEST} <= set(textures.names)
    parts = [set(surfaces) | set(doors) for surfaces, doors in textures.numbers.values()]
    assert sum(map(len, parts)) == 45
    assert set.union(*parts) == set(range(45))
    assert all(doors for _, doors in textures.numbers.values())


def test_textures_seen_from_afar_are_their_mean(own_cache_with_textures):
    textures = Textures()
    which, place = np.array([3, 3]), np.array([[0.1, 0.2], [0.9, 0.4]], np.float32)
    far = textures.at(which, place, np.array([10, 10], np.float32))
    assert np.array_equal(far[0], far[1])
    near = textures.at(which, place, np.array([0, 0], np.float32))
    assert not np.array_equal(near[0], near[1])


def test_it_is_a_dataset_that_is_drawn_once(own_cache_with_textures, monkeypatch):
    rooms = Rooms(size=32, train=6, val=2, test=3)
    assert isinstance(rooms, Dataset)
    assert isinstance(rooms, Drawn)
    assert {name: rows.tolist() for name, rows in rooms.splits.items()} == {
        "train": [0, 1, 2, 3, 4, 5], "val": [6, 7], "test": [8, 9, 10],
    }  # fmt: skip
    assert rooms.ids[0] == "train/0000000"
    assert rooms.ids[8] == "test/4000000"
    whole = rooms.pixels()
    assert np.array_equal(rooms.image(8), whole[8])
    assert np.array_equal(rooms.image(8), render(rooms.scene(8), 32, Textures()))
    assert np.array_equal(rooms.pixels([10, 1]), whole[[10, 1]])
    monkeypatch.setattr(dataset_module, "render", None)
    again = Rooms(size=32, train=6, val=2, test=3)
    again.draw(range(11), silent)
    assert np.array_equal(again.pixels(), whole), "from the cache"
    assert again.identities() == rooms.identities()
    assert len(set(rooms.identities())) == 11


def test_the_ground_truth_is_kept_and_made_again_when_damaged(own_cache_with_textures, tmp_path):
    first = Rooms(size=32, train=4, val=0, test=0).targets
    (kept,) = (tmp_path / "cache" / "rooms").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    second = Rooms(size=32, train=4, val=0, test=0).targets
    assert all(np.array_equal(first[name].values, second[name].values) for name in first)
    double = Rooms(size=64, train=4, val=0, test=0).targets
    assert np.allclose(double["corners"].values, 2 * first["corners"].values), "in pixels of the image"


def test_an_intervention_changes_one_thing_about_a_room(own_cache_with_textures):
    textures = Textures().numbers["test"]
    parts = {
        "materials": lambda room: (room.walls, tuple(room.boxes.materials)),
        "light": lambda room: (*room.light, room.intensity, room.ambient, *room.glow),
        "camera": lambda room: (*room.camera.place, room.camera.yaw, room.camera.pitch, room.camera.focal),
        "furniture": lambda room: tuple(room.boxes.centres.ravel()),
    }
    for seed in range(4_000_000, 4_000_020):
        room = draw_scene("bedroom", seed, *textures)
        for factor in FACTORS:
            other = intervened(room, factor, "bedroom", seed, *textures)
            changed = {name for name, part in parts.items() if part(room) != part(other)}
            assert factor in changed
            # Other furniture has other materials; the walls stay.
            assert changed <= ({factor} if factor != "furniture" else {"furniture", "materials"})
            assert np.array_equal(room.size, other.size)
            assert factor == "materials" or room.walls == other.walls
            again = intervened(room, factor, "bedroom", seed, *textures)
            assert parts[factor](again) == parts[factor](other)


def test_intervened_rooms_are_test_rooms_and_what_features_see_of_them(own_cache_with_textures):
    dataset = IntervenedRooms(3, size=32)
    assert dataset.ids[:2] == ("room-4000000/whole", "room-4000000/materials")
    assert np.array_equal(dataset.image(5), Rooms(size=32, train=0, val=0, test=3).image(1))
    assert len({dataset.image(row).tobytes() for row in range(len(dataset))}) == len(dataset) == 15
    result = runner.run("pixels", interventions(registry.parse("intervened-rooms:count=30,size=32")), RunOptions())
    shares = {metric.metric: metric.value for metric in result.metrics}
    assert list(shares) == list(FACTORS)
    assert shares["materials"] > shares["furniture"] > 0
    with pytest.raises(UsageError, match="two rooms"):
        IntervenedRooms(1)


@pytest.mark.parametrize(
    "options", [{"world": "cellar"}, {"size": 50}, {"train": -1}, {"train": 0, "val": 0, "test": 0}]
)
def test_wrong_options_are_refused(options):
    with pytest.raises(UsageError, match="expected"):
        Rooms(**options)
