"""Edits change the levels and the places that they should, and nothing else."""

import numpy as np
import pytest
import torch
from tiny_encoders import save_tiny_encoder

from ghbench.errors import UsageError
from ghbench.generators.pictures import pictures_of_seeds
from ghbench.ghfeat.codec import Codec
from ghbench.ghfeat.editing.edits import (
    edit_global,
    edit_local,
    harmonize,
    mix,
    paste,
    reconstruct,
    region_level,
    replaced,
    sampled_codes,
    swapped,
)
from ghbench.ghfeat.editing.masks import at_resolution, box_mask, feathered
from ghbench.ghfeat.editing.refinement import Refinement, refine
from ghbench.ghfeat.extractor import Ghfeat

BOX = box_mask((0.25, 0.5, 0.75, 1.0), 32)


@pytest.fixture(scope="module")
def codec(encoder_file):
    return Codec.load(str(encoder_file))


@pytest.fixture(scope="module")
def pictures(codec):
    return np.ascontiguousarray(pictures_of_seeds(codec.generator, [0, 1, 2]).transpose(0, 3, 1, 2))


def test_the_codes_of_a_seed_draw_its_picture(codec, pictures):
    np.testing.assert_array_equal(codec.decode(sampled_codes(codec, [0, 1, 2])), pictures)


def test_mixing_no_levels_is_the_reconstruction_and_all_levels_the_other_one(codec, pictures):
    content, style = pictures[:1], pictures[1:2]
    own, other = reconstruct(codec, content), reconstruct(codec, style)
    np.testing.assert_array_equal(mix(codec, content, style, ()), own)
    np.testing.assert_array_equal(mix(codec, content, style, [level.name for level in codec.layout.levels]), other)
    assert (own != other).any()


def test_mixed_codes_differ_at_the_mixed_levels_alone(codec, pictures):
    ours, theirs = codec.encode(pictures[:2]), codec.encode(pictures[2:])
    mixed = replaced(ours, theirs, {"r8.up", "rgb"})
    for name, code in mixed.items():
        expected = theirs[name].expand(2, -1) if name in {"r8.up", "rgb"} else ours[name]
        assert torch.equal(code, expected)


@pytest.mark.parametrize("space", ["w", "w_plus"])
def test_codes_of_other_spaces_are_edited_alike(tmp_path, space):
    codec = Codec.load(str(save_tiny_encoder(tmp_path / "e.safetensors", space)))
    ours, theirs = sampled_codes(codec, [0]), sampled_codes(codec, [1])
    generated = pictures_of_seeds(codec.generator, [0, 1]).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(reconstruct(codec, ours), generated[:1])
    np.testing.assert_array_equal(edit_global(codec, ours, theirs, list(ours)), generated[1:])
    np.testing.assert_array_equal(
        edit_local(codec, ours, theirs, np.zeros((32, 32), np.float32), "r8.conv"), generated[:1]
    )


@pytest.mark.parametrize("level", ["r8.conv", "r16.up", "r32.conv"])
def test_a_region_is_swapped_where_the_mask_reaches_and_nowhere_else(codec, level):
    ours, theirs = sampled_codes(codec, [0]), sampled_codes(codec, [1])
    here, there = codec.maps(ours, level), codec.maps(theirs, level)
    made = swapped(codec, ours, theirs, BOX, level)
    share = at_resolution(BOX, here.shape[-1]).expand_as(here)
    assert 0 < int((share == 1).sum()) < share.numel()
    assert torch.equal(made[share == 0], here[share == 0])
    assert torch.equal(made[share == 1], there[share == 1])


def test_a_swapped_region_shows_in_the_picture(codec):
    ours, theirs = sampled_codes(codec, [0]), sampled_codes(codec, [1, 2])
    own = reconstruct(codec, ours)
    made = edit_local(codec, ours, theirs, BOX, "r32.conv").astype(int)
    assert made.shape == (2, 3, 32, 32)
    # Nothing but the conversion to colours, pixel by pixel, follows the last convolution.
    changed = (made != own).any(axis=1)
    assert not changed[:, BOX == 0].any()
    assert changed[:, BOX == 1].mean() > 0.9


def test_an_empty_mask_leaves_the_reconstruction(codec, pictures):
    empty = np.zeros((32, 32), np.float32)
    np.testing.assert_array_equal(
        edit_local(codec, pictures[:1], pictures[1:2], empty, "r8.conv"), reconstruct(codec, pictures[:1])
    )


def test_harmonization_is_one_encoding_of_what_is_pasted(codec, pictures):
    mask = feathered(BOX)
    made = harmonize(codec, pictures[:2], pictures[2:], mask)
    np.testing.assert_array_equal(made, reconstruct(codec, paste(pictures[:2], pictures[2:], mask)))


def test_blending_leaves_the_background_as_it_is(codec, pictures):
    mask = feathered(BOX)
    made = harmonize(codec, pictures[:1], pictures[1:2], mask, blend=True)
    np.testing.assert_array_equal(made[:, :, mask == 0], pictures[:1, :, mask == 0])
    inside = harmonize(codec, pictures[:1], pictures[1:2], mask)
    np.testing.assert_array_equal(made[:, :, mask == 1], inside[:, :, mask == 1])


def test_refined_codes_draw_the_picture_more_closely(codec, pictures):
    error = [
        np.square(reconstruct(codec, codes).astype(float) - pictures[:2]).mean(axis=(1, 2, 3))
        for codes in (codec.encode(pictures[:2]), refine(codec, pictures[:2], Refinement(steps=30, rate=0.05)))
    ]
    assert (error[1] < error[0]).all()


def test_a_picture_is_refined_whatever_stands_beside_it(codec, pictures):
    settings, steps = Refinement(steps=3), []
    both = refine(codec, pictures[:2], settings, report=lambda done, total: steps.append((done, total)))
    alone = refine(codec, pictures[1:2], settings)
    for name, code in alone.items():
        torch.testing.assert_close(both[name][1:], code, rtol=1e-4, atol=1e-5)
    assert steps == [(done, 6) for done in range(1, 7)]


def test_a_feature_term_takes_part_in_the_refinement(codec, pictures):
    class Coarse(torch.nn.Module):
        def forward(self, images):
            return torch.nn.functional.avg_pool2d(images, 8).flatten(1)

    plain, told = (refine(codec, pictures[:1], Refinement(steps=4), perceptual=part) for part in (None, Coarse()))
    assert any(not torch.equal(plain[name], told[name]) for name in plain)


def test_what_does_not_fit_is_an_error_of_the_user(codec, pictures):
    with pytest.raises(UsageError, match="no level 'r99'; levels: r4"):
        mix(codec, pictures[:1], pictures[1:2], ["r99"])
    with pytest.raises(UsageError, match="2 pictures meet 3"):
        mix(codec, pictures[:2], pictures, [])
    with pytest.raises(UsageError, match="no level 'r99'"):
        edit_local(codec, pictures[:1], pictures[1:2], BOX, "r99")


def test_regions_are_taken_at_the_finest_level_that_is_no_conversion_to_colours(codec, encoder_file):
    spec = Ghfeat(str(encoder_file)).spec()
    chosen = {text: region_level(codec, spec, text) for text in ("r8", "r8.up", "r4-r16", "1-3", None)}
    assert chosen == {"r8": "r8.conv", "r8.up": "r8.up", "r4-r16": "r16.conv", "1-3": "r32.conv", None: "r4.conv"}
    with pytest.raises(UsageError, match="no region can be taken at '1'"):
        region_level(codec, spec, "1")


class Whole:
    """A generator that cannot be stopped between its levels."""

    levels = ()


def test_a_generator_that_cannot_be_stopped_has_no_local_edits(encoder_file):
    codec = Codec.load(str(encoder_file))
    codec.__dict__["generator"] = Whole()
    with pytest.raises(UsageError, match="a Whole cannot be stopped"):
        codec.maps({}, "r8.conv")
