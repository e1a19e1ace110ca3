"""Renders as a dataset: each image depends on its own seed only, and a killed run loses one shard at most."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ghbench.generators.rendering import (
    RenderRecipe,
    RenderShards,
    area_average,
    drawing,
    from_uint8,
    recipe_codes,
    seeded_z,
    to_uint8,
)
from ghbench.generators.tiny import tiny_generator

RECIPE = RenderRecipe("tiny", "0" * 64, first_seed=3, count=10, mixed=0.5, crossovers=4, size=16, shard=4)


@pytest.fixture(scope="module")
def generator():
    return tiny_generator()


def made(recipe, generator, folder, batch=3, draw=None):
    renders = RenderShards(recipe, folder)
    renders.make(generator, draw or drawing(generator, recipe, compiled=False), lambda done, total: None, batch)
    return renders


def test_z_of_a_seed_is_that_of_the_official_programs():
    assert torch.allclose(seeded_z([66], 4)[0].double(), torch.from_numpy(np.random.RandomState(66).randn(4)))
    assert torch.equal(seeded_z([5, 66], 4)[1], seeded_z([66], 4)[0])


def test_codes_depend_on_their_own_seed(generator):
    codes = recipe_codes(RECIPE, generator, range(20))
    assert torch.allclose(codes[7], recipe_codes(RECIPE, generator, [7])[0], atol=1e-6)


def test_codes_are_truncated_and_mixed_as_the_recipe_says(generator):
    seeds = range(400)
    plain = replace(RECIPE, psi=(0.5, 0.5), mixed=0.0)
    codes = recipe_codes(plain, generator, seeds)
    assert torch.allclose(codes, generator.mapping(seeded_z(seeds, generator.z_dim), 0.5), atol=1e-6)
    mixed = recipe_codes(replace(plain, mixed=1 / 3), generator, seeds)
    changes = (mixed[:, 1:] - mixed[:, :-1]).abs().amax(dim=2) > 1e-6
    assert set(changes.sum(dim=1).tolist()) == {0, 1}
    assert 0.25 < float(changes.any(dim=1).float().mean()) < 0.42
    # The second z begins at row 4 at the latest, so the rows from there on are one.
    assert changes.any(dim=0).tolist() == [True] * 4 + [False] * 3


def test_pictures_are_averaged_clipped_and_in_order(generator, tmp_path):
    renders = made(RECIPE, generator, tmp_path)
    pictures = renders.read()
    expected = area_average(generator.synthesis(recipe_codes(RECIPE, generator, range(3, 13))), 16)
    assert pictures.shape == (10, 3, 16, 16)
    assert float((from_uint8(pictures) - expected.clamp(-1, 1)).abs().max()) <= 1.01 / 255
    assert np.array_equal(to_uint8(from_uint8(pictures)), pictures)


def test_a_killed_or_damaged_run_makes_only_what_is_missing(generator, tmp_path):
    whole = made(RECIPE, generator, tmp_path / "a").read()
    renders = RenderShards(RECIPE, tmp_path / "b")
    calls = []

    def dies(ws):
        calls.append(len(ws))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return drawing(generator, RECIPE, compiled=False)(ws)

    with pytest.raises(KeyboardInterrupt):
        made(RECIPE, generator, tmp_path / "b", draw=dies)
    assert renders.missing() == [range(7, 11), range(11, 13)]
    with pytest.raises(FileNotFoundError, match="7 to 10"):
        renders.read()
    made(RECIPE, generator, tmp_path / "b")
    file = min(renders.path.glob("*.npy"))
    file.write_bytes(file.read_bytes()[:-1])
    assert renders.missing() == [range(3, 7)]
    made(RECIPE, generator, tmp_path / "b")
    assert np.array_equal(renders.read(), whole)


def test_an_image_is_identified_by_its_seed_and_by_how_it_is_drawn():
    assert replace(RECIPE, first_seed=5, count=2, shard=64).identities([5, 6]) == RECIPE.identities(range(3, 13))[2:4]
    changes = [{"weights_digest": "1"}, {"psi": (0.5, 0.9)}, {"size": 32}, {"precision": "bfloat16"}]
    identities = [recipe.identities([5])[0] for recipe in (RECIPE, *(replace(RECIPE, **change) for change in changes))]
    assert len(set(identities)) == 5


def test_some_images_are_made_and_read_without_the_others(generator, tmp_path):
    whole = made(RECIPE, generator, tmp_path / "a").read()
    renders = RenderShards(RECIPE, tmp_path / "b")
    told = []
    draw = drawing(generator, RECIPE, compiled=False)
    renders.make(generator, draw, lambda *done: told.append(done), batch=3, seeds=[12, 3])
    assert told == [(0, 6), (3, 6), (4, 6), (6, 6)]
    assert renders.missing() == [range(7, 11)]
    np.testing.assert_array_equal(renders.read([12, 3]), whole[[9, 0]])
    assert all(isinstance(renders._read(shard), np.memmap) for shard in (range(3, 7), range(11, 13)))
    with pytest.raises(FileNotFoundError, match="7 to 10"):
        renders.read([3, 7])
    with pytest.raises(IndexError, match="seed 2 is not among the 10 from 3 up"):
        renders.read([2])


def test_more_pictures_keep_the_ones_that_are_there(generator, tmp_path):
    few = made(RECIPE, generator, tmp_path)
    more = RenderShards(replace(RECIPE, count=16), tmp_path)
    assert more.path == few.path
    assert [len(seeds) for seeds in more.missing()] == [4, 4]
    assert RenderShards(replace(RECIPE, psi=(0.6, 1.0)), tmp_path).path != few.path
