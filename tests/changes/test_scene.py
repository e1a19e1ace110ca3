"""Changes of the scene stay in range, say which images they touched, and leave out what no generator could draw."""

from __future__ import annotations

import pytest
import torch

from ghbench.changes.scene import CLIPPED, SceneChange, change_scene, place, to_grey


def test_luma_is_that_of_bt_601():
    red = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None]
    assert to_grey(red, torch.tensor([True])).flatten().tolist() == pytest.approx([0.299] * 3)


def test_images_that_are_not_named_as_changed_are_the_same_bits():
    torch.manual_seed(0)
    images = torch.rand(64, 3, 16, 16) - 0.5
    made, changed = change_scene(images, SceneChange())
    assert 0 < changed.sum() < 64
    assert torch.equal(made[~changed], images[~changed])
    assert ((made - images).abs().amax(dim=(1, 2, 3)) > 0).equal(changed)
    assert made.abs().max() <= 1
    untouched, none = change_scene(images, SceneChange(share=0.0, grey=0.0))
    assert untouched is images
    assert not none.any()


def test_images_that_would_clip_keep_their_light():
    torch.manual_seed(0)
    bright = torch.full((32, 3, 8, 8), 0.95)
    made, changed = change_scene(bright, SceneChange(share=1.0, grey=0.0, turn=0.0, zoom=0.0, move=0.0))
    lit = (made - bright).abs().amax(dim=(1, 2, 3)) > 1e-3
    clipped = ((made.abs() >= 1).float().mean(dim=(1, 2, 3)) > CLIPPED) & lit
    assert lit.any()
    assert not clipped.any()
    assert changed.all(), "their place has changed, if only by nothing"


def test_a_shift_moves_the_picture():
    image = torch.zeros(1, 3, 32, 32)
    image[:, :, 16, 16] = 1.0
    torch.manual_seed(2)
    made = place(image, torch.tensor([True]), turn=0.0, zoom=0.0, move=0.2)
    assert made.sum().item() == pytest.approx(3.0, abs=0.2)
    assert made[0, 0].argmax() != image[0, 0].argmax()
    assert torch.equal(place(image, torch.tensor([False]), turn=1.0, zoom=1.0, move=0.2), image)
