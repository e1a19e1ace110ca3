"""JPEG in torch against a real encoder."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from ghbench.changes.jpeg import compress


def through_a_file(pixels, quality):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", quality=quality)
    return np.asarray(Image.open(stream), dtype=np.float32)


@pytest.mark.parametrize("side", [64, 200])
def test_batches_look_like_files_of_the_same_quality(side):
    qualities = [25, 50, 75, 95]
    picture = data.astronaut()[:side, 100 : 100 + side]
    images = torch.from_numpy(picture).permute(2, 0, 1).float().expand(4, -1, -1, -1) / 127.5 - 1
    made = ((compress(images, torch.tensor(qualities)) + 1) * 127.5).permute(0, 2, 3, 1).numpy()
    for quality, found in zip(qualities, made, strict=True):
        expected = through_a_file(picture, quality)
        assert np.abs(found - expected).mean() < 0.7, quality
        assert np.abs(found - expected).mean() < np.abs(expected - picture).mean() / 2, quality


def test_saturated_colours_come_back_as_decoders_give_them():
    rng = np.random.default_rng(0)
    picture = (rng.integers(0, 2, (16, 16, 3), dtype=np.uint8) * 255).repeat(8, axis=0).repeat(8, axis=1)
    images = torch.from_numpy(picture).permute(2, 0, 1).float()[None] / 127.5 - 1
    for quality in (25, 50, 75):
        made = ((compress(images, torch.tensor([quality])) + 1) * 127.5)[0].permute(1, 2, 0).numpy()
        assert np.abs(made - through_a_file(picture, quality)).mean() < 1.2, quality


def test_a_batch_is_made_of_independent_images_and_grey_stays_grey():
    images = torch.rand(3, 1, 32, 32).expand(-1, 3, -1, -1) * 2 - 1
    quality = torch.tensor([30, 60, 90])
    whole = compress(images, quality)
    torch.testing.assert_close(whole[1:2], compress(images[1:2], quality[1:2]))
    torch.testing.assert_close(whole[:, 0], whole[:, 1], rtol=0, atol=0)
