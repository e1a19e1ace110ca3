"""StyleGAN2 as the protocol describes it: levels, canonical codes, edited features, precision."""

import copy

import pytest
import torch

from ghbench.generators.protocol import Generator
from ghbench.generators.stylegan2 import StyleGAN2
from ghbench.generators.stylegan2_discriminator import StyleGAN2Discriminator
from ghbench.generators.tiny import tiny_generator


@pytest.fixture(scope="module")
def generator():
    return tiny_generator(seed=3)


@pytest.fixture(scope="module")
def ws(generator):
    """W+ with another w in each row."""
    w = generator.mapping(torch.randn(2 * generator.rows, generator.z_dim, generator=torch.Generator().manual_seed(1)))
    return w[:, 0].reshape(2, generator.rows, generator.w_dim)


def close(actual, expected, relative=2e-6):
    actual, expected = actual.detach(), expected.detach()
    return float((actual - expected).abs().max()) <= relative * float(expected.abs().max())


def test_satisfies_the_protocol(generator):
    assert isinstance(generator, Generator)


def test_levels_are_named_by_place_and_numbered_from_the_finest(generator):
    rows = [(level.name, level.layer, level.number) for level in generator.levels]
    assert rows == [
        ("r4.conv", 0, 8), ("r4.rgb", 1, 7),
        ("r8.up", 1, 7), ("r8.conv", 2, 6), ("r8.rgb", 3, 5),
        ("r16.up", 3, 5), ("r16.conv", 4, 4), ("r16.rgb", 5, 3),
        ("r32.up", 5, 3), ("r32.conv", 6, 2), ("rgb", 7, 1),
    ]  # fmt: skip


def test_levels_say_the_sizes_of_codes_and_features():
    generator = StyleGAN2({4: 6, 8: 5}, z_dim=4, w_dim=4, mapping_layers=1)
    ws = torch.randn(2, generator.rows, 4)
    codes = generator.style_codes(ws)
    assert list(codes) == [level.name for level in generator.levels]
    for level in generator.levels:
        assert codes[level.name].shape == (2, level.code_width)
        assert generator.features(ws, level.name).shape == (2, level.channels, level.resolution, level.resolution)


@pytest.mark.parametrize("raw", [True, False])
def test_codes_make_the_same_picture_as_w_plus(generator, ws, raw):
    assert close(generator.synthesis_from_styles(generator.style_codes(ws, raw=raw)), generator.synthesis(ws))


def test_scale_of_a_demodulated_style_changes_neither_picture_nor_canonical_code(generator, ws):
    raw = generator.style_codes(ws, raw=True)
    rng = torch.Generator().manual_seed(5)
    scaled = {
        level.name: raw[level.name] * (torch.rand(2, 1, generator=rng) * 20 + 0.05 if level.scale_free else 1)
        for level in generator.levels
    }
    assert close(generator.synthesis_from_styles(scaled), generator.synthesis(ws))
    canonical = generator.style_codes(ws)
    for name, code in generator.canonical(scaled).items():
        assert close(code, canonical[name])


def test_canonical_codes_have_unit_rms_except_those_to_colours(generator, ws):
    raw, canonical = generator.style_codes(ws, raw=True), generator.style_codes(ws)
    for level in generator.levels:
        if level.scale_free:
            assert torch.allclose(canonical[level.name].square().mean(dim=1), torch.ones(2), atol=1e-6)
        else:
            assert torch.equal(canonical[level.name], raw[level.name])


def test_one_w_stands_for_all_rows(generator, ws):
    w = ws[:, 0]
    assert torch.equal(generator.synthesis(w), generator.synthesis(w[:, None].expand(-1, generator.rows, -1)))


def test_truncation_draws_towards_the_mean(generator):
    z = torch.randn(3, generator.z_dim, generator=torch.Generator().manual_seed(2))
    whole, none = generator.mapping(z), generator.mapping(z, 0.0)
    assert torch.allclose(none, generator.w_mean.expand_as(none))
    partly = generator.mapping(z, 0.5, cutoff=2)
    assert torch.equal(partly[:, 2:], whole[:, 2:])
    assert torch.allclose(partly[:, :2], (whole[:, :2] + generator.w_mean) / 2, atol=1e-6)


def test_replaced_features_resume_the_synthesis(generator, ws):
    picture = generator.synthesis(ws)
    for level in generator.levels:
        kept = generator.features(ws, level.name)
        assert close(generator.synthesis(ws, replacements={level.name: kept}), picture)
        edited = generator.synthesis(ws, replacements={level.name: kept + 1})
        assert not close(edited, picture, 1e-3)


def test_noise_modes(generator, ws):
    stored = [block.noise.const[None, None] for block in convolutions(generator)]
    assert torch.equal(generator.synthesis(ws, noise=stored), generator.synthesis(ws))
    assert torch.equal(generator.synthesis(ws, noise=[None] * 7), generator.synthesis(ws, noise="none"))
    assert not torch.equal(generator.synthesis(ws, noise="random"), generator.synthesis(ws, noise="random"))


def convolutions(generator):
    for block in generator.blocks.values():
        yield from (layer for layer in (block.up, block.conv) if layer is not None)


@pytest.mark.parametrize("architecture", ["skip", "residual"])
def test_bf16_and_channels_last_stay_near_float32(architecture):
    torch.manual_seed(0)
    generator = StyleGAN2(dict.fromkeys((4, 8, 16), 16), z_dim=8, w_dim=8, architecture=architecture)
    ws = torch.randn(2, generator.rows, 8)
    expected = generator.synthesis(ws)
    with torch.autocast("cpu", torch.bfloat16):
        half = generator.synthesis(ws)
    assert half.dtype == torch.float32
    assert close(half, expected, 0.03)
    assert close(generator.to(memory_format=torch.channels_last).synthesis(ws), expected, 1e-5)
    native = copy.deepcopy(generator).to(torch.bfloat16)
    assert close(native.synthesis(ws.to(torch.bfloat16)), expected, 0.06)


@pytest.mark.parametrize("architecture", ["residual", "skip"])
def test_discriminator_in_bf16_and_channels_last_stays_near_float32(architecture):
    torch.manual_seed(0)
    discriminator = StyleGAN2Discriminator(dict.fromkeys((4, 8, 16), 16), architecture=architecture)
    images = torch.randn(4, 3, 16, 16)
    expected = discriminator(images)
    with torch.autocast("cpu", torch.bfloat16):
        half = discriminator(images)
    assert half.dtype == torch.float32
    assert close(half, expected, 0.05)
    last = discriminator.to(memory_format=torch.channels_last)
    assert close(last(images.to(memory_format=torch.channels_last)), expected, 1e-5)


def test_tiny_generator_is_its_seed(ws):
    state = torch.get_rng_state()
    one, same, other = tiny_generator(7), tiny_generator(7), tiny_generator(8)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.synthesis(ws), same.synthesis(ws))
    assert not torch.equal(one.synthesis(ws), other.synthesis(ws))
    assert one.synthesis(ws).shape == (2, 3, 32, 32)
    assert not any(parameter.requires_grad for parameter in one.parameters())


def test_gradients_reach_the_codes(generator, ws):
    codes = {name: code.clone().requires_grad_() for name, code in generator.style_codes(ws).items()}
    generator.synthesis_from_styles(codes).square().sum().backward()
    assert all(float(code.grad.abs().sum()) > 0 for code in codes.values())


def test_conv_clamp_limits_what_each_level_adds():
    torch.manual_seed(0)
    generator = StyleGAN2({4: 8, 8: 8}, z_dim=4, w_dim=4, conv_clamp=0.25)
    ws = torch.randn(2, generator.rows, 4)
    with torch.no_grad():
        assert all(float(generator.features(ws, level.name).abs().max()) <= 0.25 for level in generator.levels)


def test_what_does_not_fit_is_refused(generator, ws):
    with pytest.raises(ValueError, match=r"expected \[N, 8, 16\]"):
        generator.synthesis(ws[:, :3])
    with pytest.raises(ValueError, match="expected 7"):
        generator.synthesis(ws, noise=[None])
    with pytest.raises(ValueError, match=r"noise 6 .*32, 32\]"):
        generator.synthesis(ws, noise=[None] * 6 + [torch.zeros(1, 1, 8, 8)])
    with pytest.raises(ValueError, match="const, random, none"):
        generator.synthesis(ws, noise="constant")
    with pytest.raises(KeyError, match=r"'r64\.conv'.* r4\.conv"):
        generator.features(ws, "r64.conv")
    with pytest.raises(KeyError, match=r"r8\.up"):
        generator.synthesis_from_styles({k: v for k, v in generator.style_codes(ws).items() if k != "r8.up"})
    with pytest.raises(ValueError, match="labels"):
        generator.mapping(torch.zeros(1, 16), labels=torch.ones(1, 3))
    with pytest.raises(ValueError, match="without a gap"):
        StyleGAN2({4: 8, 16: 8})
    with pytest.raises(ValueError, match="8, 8"):
        StyleGAN2Discriminator({4: 8, 8: 8})(torch.zeros(1, 3, 16, 16))
