"""The encoder of faces follows the scene: what changes in the picture changes in its reconstruction."""

from __future__ import annotations

import pytest
import torch

from ghbench.errors import MissingError
from ghbench.generators.rendering import seeded_z, to_uint8
from ghbench.ghfeat.codec import Codec
from ghbench.seeds import seeds_for

COUNT, SHIFT = 32, 4
"""Images, and the shift in pixels."""


@pytest.fixture(scope="module")
def codec():
    try:
        loaded = Codec.load("faces64")
        _ = loaded.generator
    except MissingError as error:
        pytest.skip(error.message)
    return loaded


@torch.no_grad()
def reconstructed(codec, images):
    return codec.synthesise(codec.encode(to_uint8(images))).clamp(-1, 1)


def darker(images):
    return (images - 0.2).clamp(-1, 1)


def redder(images):
    return torch.cat([(images[:, :1] + 0.2).clamp(-1, 1), images[:, 1:]], dim=1)


def shifted(images):
    return torch.roll(images, SHIFT, dims=3)


@pytest.mark.parametrize(("change", "least"), [(darker, 0.9), (redder, 0.9), (shifted, 0.75)])
def test_a_change_comes_back_in_the_reconstruction(codec, change, least):
    """The share of the change: projection of what happens to the reconstruction on the change of the reconstruction."""
    z = seeded_z(seeds_for("test", COUNT), codec.generator.z_dim)
    with torch.no_grad():
        images = codec.generator.synthesis(codec.generator.mapping(z, 0.7)).clamp(-1, 1)
    before, after = reconstructed(codec, images), reconstructed(codec, change(images))
    inside = slice(None) if change is not shifted else slice(2 * SHIFT, -2 * SHIFT)
    wanted, found = ((other - before)[..., inside] for other in (change(before), after))
    response = float((wanted * found).sum() / wanted.square().sum())
    assert least <= response <= 1.1, response
