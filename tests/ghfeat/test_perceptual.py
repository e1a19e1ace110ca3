"""Perceptual networks: VGG16 as the official program feeds it, and plugins that offer theirs."""

import pytest
import torch
from safetensors.torch import save_file

from ghbench.errors import DataError, MissingError, UsageError
from ghbench.ghfeat.training import perceptual
from ghbench.ghfeat.training.perceptual import Vgg16, perceptual_network


@pytest.fixture
def narrow(monkeypatch):
    """VGG16 with few channels."""
    widths = tuple(width if width == "pool" else width // 32 for width in perceptual._WIDTHS)
    monkeypatch.setattr(perceptual, "_WIDTHS", widths)


@pytest.mark.parametrize(("order", "expected"), [("rgb", (132.0, 10.5, -104.0)), ("bgr", (-103.939, 10.721, 131.32))])
def test_vgg16_sees_0_to_255_less_the_means_in_its_order(narrow, order, expected):
    network = Vgg16(order)
    seen = []
    network.features[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(torch.tensor([1.0, 0.0, -1.0])[None, :, None, None].expand(2, 3, 64, 64))
    assert seen[0].shape == (2, 3, 256, 256)
    torch.testing.assert_close(seen[0][0, :, 5, 7], torch.tensor(expected))


def test_vgg16_ends_at_the_third_convolution_of_the_fourth_block():
    with torch.device("meta"):
        network = Vgg16()
        assert network(torch.empty(1, 3, 256, 256)).shape == (1, 512 * 32 * 32)
    assert [index for index, layer in enumerate(network.features) if hasattr(layer, "weight")] == [
        0, 2, 5, 7, 10, 12, 14, 17, 19, 21,
    ]  # fmt: skip
    assert len(network.features) == 23


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_vgg16_weights_have_torchvisions_names(narrow, tmp_path, suffix):
    torch.manual_seed(0)
    stored = Vgg16().state_dict() | {"classifier.0.weight": torch.ones(2, 2)}
    path = tmp_path / f"vgg.{suffix}"
    save_file(stored, path) if suffix == "safetensors" else torch.save(stored, path)
    network, digest = perceptual_network(f"vgg16:weights={path}")
    assert len(digest) == 64
    assert torch.equal(network.features[21].weight, stored["features.21.weight"])
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_errors_name_wrong_files_and_options(narrow, tmp_path):
    with pytest.raises(UsageError, match="weights=FILE"):
        perceptual_network("vgg16")
    with pytest.raises(MissingError, match=r"none\.pth"):
        perceptual_network(f"vgg16:weights={tmp_path / 'none.pth'}")
    torch.save({"features.0.weight": torch.ones(3)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match=r"features\.0\.weight"):
        perceptual_network(f"vgg16:weights={tmp_path / 'other.pth'}")
    with pytest.raises(UsageError, match="pixels"):
        perceptual_network("pixels")


def test_mobilenet_v2_offers_features_with_gradients():
    try:
        network, digest = perceptual_network("mobilenet-v2")
    except MissingError as error:
        pytest.skip(f"MobileNetV2's weights are not on this machine: {error}")
    images = (torch.rand(2, 3, 64, 64) * 2 - 1).requires_grad_()
    features = network(images)
    assert features.shape == (2, 24 * 16**2 + 32 * 8**2 + 96 * 4**2)
    # Every position has length 1, so an image's mean square is 1 whatever the stages' sizes.
    torch.testing.assert_close(features.detach().square().mean(dim=1), torch.ones(2), rtol=1e-4, atol=1e-4)
    features.sum().backward()
    assert images.grad.abs().sum() > 0
    assert len(digest) == 64
