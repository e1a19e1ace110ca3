"""Batch norms are folded where features stay, and all of them are put back where one does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ghbench_baselines.folding import fold_batch_norms
from ghbench_baselines.random_trunk import RandomTrunk
from ghbench_baselines.taps import Tap, Taps
from ghbench_baselines.vision_models import import_timm
from torch import nn


def settled(network):
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            part.weight.data.uniform_(0.5, 2)
            part.bias.data.normal_()
    return network.eval().requires_grad_(requires_grad=False)


class Other(nn.Module):
    """Norms that stand behind a convolution and are applied before it."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, images):
        return self.conv(self.norm(self.stem(images)).relu())


def plain(**options):
    return nn.Sequential(nn.Conv2d(3, 6, 3, **options), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 3))


def read(network, place="3", side="output"):
    taps, images = Taps(network, {"level": Tap(place, side)}), torch.rand(2, 3, 12, 12)
    return lambda: taps(images)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"groups": 3}])
def test_features_stay_and_norms_go(options):
    network = settled(plain(**options))
    encode = read(network)
    before = encode()["level"]
    with torch.inference_mode():
        assert fold_batch_norms(network, encode) == 1
    torch.testing.assert_close(encode()["level"], before, rtol=1e-5, atol=1e-5)
    assert not [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]


def test_a_tap_behind_a_norm_still_reads():
    network = settled(plain())
    encode = read(network, "1")
    before = encode()["level"]
    assert fold_batch_norms(network, encode) == 1
    torch.testing.assert_close(encode()["level"], before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("network", "place"), [(Other(), "conv"), (plain(), "0")])
def test_what_would_change_is_put_back(network, place):
    encode = read(settled(network), place)
    before, state = encode()["level"], {key: value.clone() for key, value in network.state_dict().items()}
    assert fold_batch_norms(network, encode) == 0
    torch.testing.assert_close(encode()["level"], before, rtol=0, atol=0)
    assert state.keys() == network.state_dict().keys()
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in state.items())


def test_what_an_error_interrupts_is_put_back():
    network, answers = settled(plain()), iter([{"level": torch.ones(2, 4)}])
    with pytest.raises(StopIteration):
        fold_batch_norms(network, lambda: next(answers))
    assert isinstance(network[1], nn.BatchNorm2d)


def test_timms_norms_keep_their_activation():
    network = settled(import_timm().create_model("efficientnet_lite0", pretrained=False, num_classes=0))
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert fold_batch_norms(network, lambda: {"level": network(images)}) > 40


def test_nothing_to_fold_costs_nothing():
    assert fold_batch_norms(nn.Sequential(nn.Conv2d(3, 2, 1)), lambda: pytest.fail("was encoded")) == 0


def test_the_plain_twin_of_an_encoder_keeps_its_norms_and_its_features():
    fast = RandomTrunk()
    plain = fast.plain()
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 224, 224), dtype=np.uint8)
    for level, features in fast.extract(images).items():
        np.testing.assert_allclose(plain.extract(images)[level], features, rtol=1e-4, atol=1e-5)
    norms = [sum(isinstance(part, nn.BatchNorm2d) for part in one._ready()[0].modules()) for one in (fast, plain)]
    assert norms == [0, 20]
