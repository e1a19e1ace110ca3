"""StyleGAN1 as the protocol describes it, and its layers against the plain way to compute them."""

import pytest
import torch
from torch.nn import functional

from ghbench.generators.layers import EPSILON
from ghbench.generators.protocol import Generator
from ghbench.generators.resampling import narrow_kernel
from ghbench.generators.stylegan1 import StyleGAN1, StyleLayer, adaptive_instance_norm, doubling_weight
from ghbench.generators.stylegan1_discriminator import HalvingBlock, StyleGAN1Discriminator


@pytest.fixture
def generator():
    torch.manual_seed(0)
    generator = StyleGAN1({4: 10, 8: 8, 16: 6}, z_dim=5, w_dim=7, mapping_layers=2, mapping_width=9)
    for block in generator.blocks.values():
        torch.nn.init.normal_(block.first()[1].noise.strength)
    return generator.requires_grad_(requires_grad=False)


@pytest.fixture
def ws(generator):
    return torch.randn(2, generator.rows, 7, generator=torch.Generator().manual_seed(1))


def close(actual, expected, relative=2e-6):
    return float((actual - expected).abs().max()) <= relative * float(expected.abs().max())


def test_satisfies_the_protocol(generator):
    assert isinstance(generator, Generator)
    assert generator.mapping(torch.randn(3, 5)).shape == (3, 6, 7)


def test_levels_hold_scale_and_bias_and_are_numbered_from_the_finest(generator):
    rows = [(level.name, level.layer, level.number, level.code_width) for level in generator.levels]
    assert rows == [
        ("r4.const", 0, 6, 20), ("r4.conv", 1, 5, 20),
        ("r8.up", 2, 4, 16), ("r8.conv", 3, 3, 16),
        ("r16.up", 4, 2, 12), ("r16.conv", 5, 1, 12),
    ]  # fmt: skip


def test_codes_have_the_declared_widths_even_where_wider_than_w(generator, ws):
    codes = generator.style_codes(ws)
    assert [code.shape[1] for code in codes.values()] == [level.code_width for level in generator.levels]
    assert all(torch.equal(code, generator.style_codes(ws, raw=True)[name]) for name, code in codes.items())
    assert torch.equal(generator.synthesis_from_styles(codes), generator.synthesis(ws))


def test_replaced_features_resume_the_synthesis(generator, ws):
    picture = generator.synthesis(ws)
    for level in generator.levels:
        kept = generator.features(ws, level.name)
        assert kept.shape == (2, level.channels, level.resolution, level.resolution)
        assert torch.equal(generator.synthesis(ws, replacements={level.name: kept}), picture)
        assert not close(generator.synthesis(ws, replacements={level.name: kept.flip(-1)}), picture, 1e-3)


def test_features_have_the_mean_and_deviation_that_the_code_says(generator, ws):
    for level in generator.levels:
        scale, shift = generator.style_codes(ws)[level.name].chunk(2, dim=1)
        features = generator.features(ws, level.name)
        assert torch.allclose(features.mean(dim=(2, 3)), shift, atol=1e-4)
        assert torch.allclose(features.std(dim=(2, 3), correction=0), (scale + 1).abs(), atol=1e-4)


def test_adaptive_instance_norm_is_its_formula():
    features, code = torch.randn(2, 3, 4, 4) + 5, torch.randn(2, 6)
    mean = features.mean(dim=(2, 3), keepdim=True)
    deviation = ((features - mean).square().mean(dim=(2, 3), keepdim=True) + EPSILON).sqrt()
    expected = (features - mean) / deviation * (code[:, :3, None, None] + 1) + code[:, 3:, None, None]
    assert torch.allclose(adaptive_instance_norm(features, code), expected, atol=1e-5)


def test_upsampling_is_repeating_pixels_convolving_and_smoothing():
    """Built with noise, bias and rectifier out of the way, and its style undone."""
    torch.manual_seed(0)
    layer = StyleLayer(3, 4, 5, 12, up=True, fused=False)
    images = torch.randn(2, 3, 6, 6)
    repeated = functional.interpolate(images, scale_factor=2.0, mode="nearest")
    convolved = functional.conv2d(repeated, layer.weight * layer.scale, padding=1)
    smoothed = functional.conv2d(convolved, narrow_kernel().expand(4, 1, 3, 3), padding=1, groups=4)
    code = torch.randn(2, 8)
    expected = adaptive_instance_norm(functional.leaky_relu(smoothed, 0.2), code)
    assert torch.allclose(layer(images, code, "none", 0), expected, atol=1e-5)
    turned = StyleLayer(3, 4, 5, 12, up=True, fused=True)
    turned.load_state_dict({**layer.state_dict(), "weight": layer.weight.flip(2, 3)})
    assert torch.allclose(turned(images, code, "none", 0), expected, atol=1e-5)


def test_downsampling_is_convolving_and_averaging():
    torch.manual_seed(0)
    weight, images = torch.randn(4, 3, 3, 3), torch.randn(2, 3, 8, 8)
    expected = functional.avg_pool2d(functional.conv2d(images, weight, padding=1), 2)
    actual = functional.conv2d(images, doubling_weight(weight) / 4, stride=2, padding=1)
    assert torch.allclose(actual, expected, atol=1e-5)
    assert HalvingBlock(3, 4)(images).shape == (2, 4, 4, 4)


def test_level_of_detail_blends_neighbouring_resolutions(generator, ws):
    pictures = {}
    for lod in (0.0, 0.5, 1.0, 2.0):
        generator.lod = lod
        pictures[lod] = generator.synthesis(ws)
        assert pictures[lod].shape == (2, 3, 16, 16)
    assert close(pictures[0.5], (pictures[0.0] + pictures[1.0]) / 2)
    coarse = pictures[2.0][..., ::4, ::4]
    assert torch.equal(functional.interpolate(coarse, scale_factor=4.0, mode="nearest"), pictures[2.0])
    with pytest.raises(ValueError, match=r"r16\.conv .* 2$"):
        generator.features(ws, "r16.conv")


def test_noise_modes(generator, ws):
    stored = [
        layer.noise.const[None, None] for block in generator.blocks.values() for layer in (block.first()[1], block.conv)
    ]
    assert torch.equal(generator.synthesis(ws, noise=stored), generator.synthesis(ws))
    assert not close(generator.synthesis(ws, noise="none"), generator.synthesis(ws), 1e-3)
    with pytest.raises(ValueError, match="expected 6"):
        generator.synthesis(ws, noise=stored[:5])


def test_bf16_and_channels_last_stay_near_float32(generator, ws):
    expected = generator.synthesis(ws)
    with torch.autocast("cpu", torch.bfloat16):
        half = generator.synthesis(ws)
    assert half.dtype == torch.float32
    assert close(half, expected, 0.05)
    assert close(generator.to(memory_format=torch.channels_last).synthesis(ws), expected, 1e-5)
    assert close(generator.to(torch.bfloat16).synthesis(ws.to(torch.bfloat16)), expected, 0.1)


def test_discriminator_in_bf16_stays_near_float32_and_differentiates_twice():
    torch.manual_seed(0)
    discriminator = StyleGAN1Discriminator({4: 10, 8: 8, 16: 6})
    images = torch.randn(4, 3, 16, 16, requires_grad=True)
    logits = discriminator(images)
    with torch.autocast("cpu", torch.bfloat16):
        half = discriminator(images)
    assert close(half.detach(), logits.detach(), 0.05)
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    gradient.square().sum().backward()
    assert float(discriminator.final_conv.weight.grad.abs().sum()) > 0
    with pytest.raises(ValueError, match="16, 16"):
        discriminator(torch.zeros(1, 3, 8, 8))
