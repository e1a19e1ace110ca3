"""Edits change the intended levels and places, and nothing else."""

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
    replace_levels,
    sampled_codes,
    swap_region,
)
from ghbench.ghfeat.editing.masks import at_resolution, box_mask, feather
from ghbench.ghfeat.extractor import Ghfeat
from ghbench.ghfeat.refinement import Refinement, refine

BOX = box_mask((0.25, 0.5, 0.75, 1.0), 32)


@pytest.fixture(scope="module")
def codec(encoder_file):
    return Codec.load(str(encoder_file))


@pytest.fixture(scope="module")
def images(codec):
    return np.ascontiguousarray(pictures_of_seeds(codec.generator, [0, 1, 2]).transpose(0, 3, 1, 2))


def test_the_codes_of_a_seed_draw_its_image(codec, images):
    # Equal but for rounding: the two ways draw batches of different sizes.
    drawn = codec.decode(sampled_codes(codec, [0, 1, 2]))
    np.testing.assert_allclose(drawn.astype(int), images.astype(int), rtol=0, atol=1)


def test_mixing_no_levels_is_the_reconstruction_and_all_levels_the_other_one(codec, images):
    content, style = images[:1], images[1:2]
    own, other = reconstruct(codec, content), reconstruct(codec, style)
    np.testing.assert_array_equal(mix(codec, content, style, ()), own)
    np.testing.assert_array_equal(mix(codec, content, style, [level.name for level in codec.layout.levels]), other)
    assert (own != other).any()


def test_mixed_codes_differ_only_at_the_mixed_levels(codec, images):
    ours, theirs = codec.encode(images[:2]), codec.encode(images[2:])
    mixed = replace_levels(ours, theirs, {"r8.up", "rgb"})
    for name, code in mixed.items():
        expected = theirs[name].expand(2, -1) if name in {"r8.up", "rgb"} else ours[name]
        assert torch.equal(code, expected)


@pytest.mark.parametrize("space", ["w", "w_plus"])
def test_codes_of_other_spaces_can_be_edited(tmp_path, space):
    codec = Codec.load(str(save_tiny_encoder(tmp_path / "e.safetensors", space)))
    ours, theirs = sampled_codes(codec, [0]), sampled_codes(codec, [1])
    generated = pictures_of_seeds(codec.generator, [0, 1]).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(reconstruct(codec, ours), generated[:1])
    np.testing.assert_array_equal(edit_global(codec, ours, theirs, list(ours)), generated[1:])
    np.testing.assert_array_equal(
        edit_local(codec, ours, theirs, np.zeros((32, 32), np.float32), "r8.conv"), generated[:1]
    )


@pytest.mark.parametrize("level", ["r8.conv", "r16.up", "r32.conv"])
def test_a_region_is_swapped_only_under_the_mask(codec, level):
    ours, theirs = sampled_codes(codec, [0]), sampled_codes(codec, [1])
    here, there = codec.maps(ours, level), codec.maps(theirs, level)
    made = swap_region(codec, ours, theirs, BOX, level)
    share = at_resolution(BOX, here.shape[-1]).expand_as(here)
    assert 0 < int((share == 1).sum()) < share.numel()
    assert torch.equal(made[share == 0], here[share == 0])
    assert torch.equal(made[share == 1], there[share == 1])


def test_a_swapped_region_shows_in_the_image(codec):
    ours, theirs = sampled_codes(codec, [0]), sampled_codes(codec, [1, 2])
    own = reconstruct(codec, ours)
    made = edit_local(codec, ours, theirs, BOX, "r32.conv").astype(int)
    assert made.shape == (2, 3, 32, 32)
    # After the last convolution only the conversion to RGB follows, pixel by pixel.
    changed = (made != own).any(axis=1)
    assert not changed[:, BOX == 0].any()
    assert changed[:, BOX == 1].mean() > 0.9


def test_an_empty_mask_leaves_the_reconstruction(codec, images):
    empty = np.zeros((32, 32), np.float32)
    np.testing.assert_array_equal(
        edit_local(codec, images[:1], images[1:2], empty, "r8.conv"), reconstruct(codec, images[:1])
    )


def test_harmonization_encodes_the_pasted_image_once(codec, images):
    mask = feather(BOX)
    made = harmonize(codec, images[:2], images[2:], mask)
    np.testing.assert_array_equal(made, reconstruct(codec, paste(images[:2], images[2:], mask)))


def test_blending_keeps_the_background(codec, images):
    mask = feather(BOX)
    made = harmonize(codec, images[:1], images[1:2], mask, blend=True)
    np.testing.assert_array_equal(made[:, :, mask == 0], images[:1, :, mask == 0])
    inside = harmonize(codec, images[:1], images[1:2], mask)
    np.testing.assert_array_equal(made[:, :, mask == 1], inside[:, :, mask == 1])


def test_refined_codes_reconstruct_the_image_better(codec, images):
    error = [
        np.square(reconstruct(codec, codes).astype(float) - images[:2]).mean(axis=(1, 2, 3))
        for codes in (codec.encode(images[:2]), codec.unstandardise(refine(codec, images[:2])))
    ]
    assert (error[1] < error[0]).all()


def test_refinement_does_not_depend_on_the_other_images(codec, images):
    settings, steps = Refinement(steps=3), []
    both = refine(codec, images[:2], settings, report=lambda done, total: steps.append((done, total)))
    alone = refine(codec, images[1:2], settings)
    for name, code in alone.items():
        torch.testing.assert_close(both[name][1:], code, rtol=0, atol=0)
    assert steps == [(step, 6) for step in range(1, 7)]


def test_the_feature_term_changes_the_refinement(codec, images):
    class Coarse(torch.nn.Module):
        def forward(self, images):
            return torch.nn.functional.avg_pool2d(images, 8).flatten(1)

    plain, guided = (refine(codec, images[:1], Refinement(steps=4), perceptual=part) for part in (None, Coarse()))
    assert any(not torch.equal(plain[name], guided[name]) for name in plain)


def test_inputs_that_do_not_fit_are_usage_errors(codec, images):
    with pytest.raises(UsageError, match=r"r99.*r4\.conv"):
        mix(codec, images[:1], images[1:2], ["r99"])
    with pytest.raises(UsageError, match=r"2 .* 3"):
        mix(codec, images[:2], images, [])
    with pytest.raises(UsageError, match="r99"):
        edit_local(codec, images[:1], images[1:2], BOX, "r99")


def test_regions_are_taken_at_the_finest_level_that_is_not_a_conversion_to_rgb(codec, encoder_file):
    spec = Ghfeat(str(encoder_file)).spec()
    chosen = {text: region_level(codec, spec, text) for text in ("r8", "r8.up", "r4-r16", "1-3", None)}
    assert chosen == {"r8": "r8.conv", "r8.up": "r8.up", "r4-r16": "r16.conv", "1-3": "r32.conv", None: "r4.conv"}
    with pytest.raises(UsageError, match="'1'"):
        region_level(codec, spec, "1")


class Whole:
    """A generator without access to its feature maps."""

    levels = ()


def test_a_generator_without_access_to_its_maps_has_no_local_edits(encoder_file):
    codec = Codec.load(str(encoder_file))
    codec.__dict__["generator"] = Whole()
    with pytest.raises(UsageError, match="Whole"):
        codec.maps({}, "r8.conv")
