"""Degradations stay in range and touch what they should."""

from __future__ import annotations

import torch

from ghbench.changes.degradations import Degradation, degrade


def test_degraded_images_stay_in_range_and_differ():
    torch.manual_seed(0)
    images = torch.rand(8, 3, 32, 32) * 2 - 1
    made = degrade(images, Degradation(share=1.0))
    assert made.shape == images.shape
    assert made.abs().max() <= 1
    assert ((made - images).abs().mean(dim=(1, 2, 3)) > 0.01).all()
    assert degrade(images, Degradation(share=0.0)) is images


def test_grey_images_stay_grey():
    torch.manual_seed(0)
    images = (torch.rand(8, 1, 32, 32) * 2 - 1).expand(-1, 3, -1, -1)
    made = degrade(images, Degradation(share=1.0, reflected=1.0))
    torch.testing.assert_close(made[:, 0], made[:, 2], rtol=0, atol=1e-6)


def test_reflection_pads_with_blurred_pixels_of_the_image():
    torch.manual_seed(0)
    images = torch.rand(6, 3, 32, 32) * 2 - 1
    made = degrade(images, Degradation(share=0.0, reflected=1.0))
    assert made.min() >= images.min()
    assert made.max() <= images.max()
    torch.testing.assert_close(made[:, :, 14:18, 14:18], images[:, :, 14:18, 14:18], rtol=0, atol=0.05)
    edges = [made[:, :, 0], made[:, :, -1], made[:, :, :, 0], made[:, :, :, -1]]
    assert all(edge.std() < images.std() / 2 for edge in edges), "blurred"
    with torch.autocast("cpu", torch.bfloat16):
        assert degrade(images, Degradation(share=0.0, reflected=1.0)).dtype == torch.float32
