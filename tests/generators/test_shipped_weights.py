"""The weights that come along: they load, draw what they were trained on, and their cards say how they were made."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ghbench.checkpoints import read
from ghbench.generators.loading import generator_plugin, load_discriminator
from ghbench.generators.pictures import pictures_of_seeds
from ghbench.generators.shipped_weights import shipped_file

GREY, SPRITES = ("stylegan2-fashion32", "stylegan1-fashion32", "stylegan2-mnist32"), "stylegan2-sprites64"
NAMES = (*GREY, SPRITES)


def test_sprites_have_plain_backgrounds_of_several_colours():
    pictures = pictures_of_seeds(generator_plugin(SPRITES).load(), range(32), psi=1.0).astype(float)
    assert pictures.shape == (32, 64, 64, 3)
    border = np.concatenate([pictures[:, :3].reshape(32, -1, 3), pictures[:, -3:].reshape(32, -1, 3)], axis=1)
    assert border.std(axis=1).mean() < 15, "plain"
    assert border.mean(axis=1).std(axis=0).min() > 8, "of several colours"
    middle = np.abs(pictures - border.mean(axis=1)[:, None, None]).max(axis=3)
    assert np.median(middle.reshape(32, -1).max(axis=1)) > 60, "something stands before most of them"


@pytest.mark.parametrize("name", GREY)
def test_pictures_are_grey_dark_at_the_border_and_differ(name):
    pictures = pictures_of_seeds(generator_plugin(name).load(), range(8), psi=1.0).astype(float)
    assert pictures.shape == (8, 32, 32, 3)
    np.testing.assert_allclose(pictures[..., 0], pictures[..., 2], atol=1)
    assert pictures[:, [0, -1]].mean() < 12
    assert 20 < pictures[:, 4:28, 4:28].mean() < 150
    assert pictures.std(axis=0).mean() > 10


@pytest.mark.parametrize("name", NAMES)
def test_the_card_names_the_command_the_licence_and_the_distances(name):
    card = (shipped_file(name).parent / "card.md").read_text()
    spec = generator_plugin(name).spec()
    command = next(note for note in spec.notes if note.startswith("trained by: ")).removeprefix("trained by: ")
    assert f"`{command}`" in card
    assert spec.licence == "Apache-2.0"
    assert "| Licence | Apache-2.0 |" in card
    assert "kid[efficientnet-lite0].floor" in card
    assert ("fd[" in card) == ("fd[efficientnet-lite0].floor" in card)


@pytest.mark.parametrize("name", NAMES)
def test_the_discriminator_lies_beside_and_scores(name):
    critic, side = load_discriminator(shipped_file(name)), generator_plugin(name).spec().size
    assert critic(torch.zeros(4, 3, side, side)).shape == (4, 1)


def test_style_codes_of_the_small_stylegan1_are_wider_than_w():
    generator = generator_plugin("stylegan1-fashion32").load()
    assert generator.w_mean.shape == (64,)
    assert sum(level.code_width for level in generator.levels) == 896


@pytest.mark.parametrize("name", NAMES)
def test_files_are_small_and_say_what_they_learned_from(name):
    path = shipped_file(name)
    assert path.stat().st_size < 5e6
    training = read(path).config["config"]["extra"]["training"]
    (taught_by,) = training["datasets"]
    named = taught_by if "#" in taught_by else f"{taught_by}#{training['split']}"
    assert (named,) == generator_plugin(name).spec().training.datasets
    assert training["split"] == "train"
