"""MobileStyleGAN as the protocol describes it: levels, wavelets, canonical codes, edited features, precision."""

import json

import pytest
import torch

from ghbench.generators.code_statistics import code_statistics
from ghbench.generators.haar import haar_analysis, haar_synthesis
from ghbench.generators.mobile_stylegan import MobileStyleGAN
from ghbench.generators.protocol import Generator


@pytest.fixture(scope="module")
def generator():
    """A random network of 32 px in which noise and biases matter."""
    torch.manual_seed(0)
    generator = MobileStyleGAN(32, channels={4: 16, 8: 16, 16: 8}, z_dim=8, w_dim=8, mapping_layers=2)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise.strength") or (name.endswith("bias") and not name.endswith("style.bias")):
            torch.nn.init.normal_(parameter, std=0.2)
    generator.mapping_network.estimate_w_mean(500)
    return generator.eval()


@pytest.fixture(scope="module")
def ws(generator):
    """W+ with another w in each row."""
    w = generator.mapping(torch.randn(2 * generator.rows, generator.z_dim, generator=torch.Generator().manual_seed(1)))
    return w[:, 0].reshape(2, generator.rows, generator.w_dim).detach()


def close(actual, expected, relative=2e-6):
    actual, expected = actual.detach(), expected.detach()
    return float((actual - expected).abs().max()) <= relative * float(expected.abs().max())


def test_wavelet_step_follows_its_formula_and_is_undone():
    low, rows, columns, both = 8.0, 4.0, 2.0, 1.0
    bands = torch.tensor([low, rows, columns, both]).reshape(1, 4, 1, 1)
    expected = torch.tensor([[low + rows + columns + both, low + rows - columns - both],
                             [low - rows + columns - both, low - rows - columns + both]]) / 2  # fmt: skip
    assert torch.equal(haar_synthesis(bands)[0, 0], expected)
    pixels = torch.randn(2, 3, 8, 8)
    assert torch.allclose(haar_synthesis(haar_analysis(pixels)), pixels, atol=1e-6)
    assert torch.isclose(haar_analysis(pixels).square().sum(), pixels.square().sum())
    assert haar_synthesis(haar_analysis(pixels)).is_contiguous(memory_format=torch.channels_last)


def test_satisfies_the_protocol(generator):
    assert isinstance(generator, Generator)


def test_is_made_again_from_its_configuration(generator):
    again = MobileStyleGAN(**json.loads(json.dumps(generator.configuration())))
    assert [(name, value.shape) for name, value in again.state_dict().items()] == [
        (name, value.shape) for name, value in generator.state_dict().items()
    ]


def test_a_level_is_a_row_of_w_plus(generator, ws):
    rows = [(level.name, level.layer, level.number, level.code_width) for level in generator.levels]
    assert rows == [
        ("r4.conv", 0, 6, 16),
        ("r8.up", 1, 5, 16), ("r8.conv", 2, 4, 16),
        ("r16.up", 3, 3, 16), ("r16.conv", 4, 2, 8),
        ("rgb", 5, 1, 8),
    ]  # fmt: skip
    codes = generator.style_codes(ws)
    for level in generator.levels:
        assert codes[level.name].shape == (2, level.code_width)
        assert generator.features(ws, level.name).shape == (2, level.channels, level.resolution, level.resolution)


@pytest.mark.parametrize(("size", "rows", "canonical", "raw"), [(64, 8, 4096, 4480), (128, 10, 5120, 5632)])
def test_published_widths_below_1024(size, rows, canonical, raw):
    generator = MobileStyleGAN(size)
    codes = {kind: generator.style_codes(torch.zeros(1, 512), raw=kind == "raw") for kind in ("raw", "canonical")}
    assert generator.rows == rows
    assert sum(code.shape[1] for code in codes["canonical"].values()) == canonical
    assert sum(code.shape[1] for code in codes["raw"].values()) == raw
    assert generator.levels[-1].layer == rows - 1


@pytest.mark.parametrize("raw", [True, False])
def test_codes_make_the_same_picture_as_w_plus(generator, ws, raw):
    codes = generator.style_codes(ws, raw=raw)
    assert (codes["r8.up"].shape[1] == 20) == raw
    assert close(generator.synthesis_from_styles(codes), generator.synthesis(ws))


def test_random_gauge_changes_neither_picture_nor_canonical_code(generator, ws):
    raw = generator.style_codes(ws, raw=True)
    rng = torch.Generator().manual_seed(5)
    moved = dict(raw)
    for name in ("r8.up", "r16.up"):
        before, after = raw[name].split([16, 4], dim=1)
        factor = torch.rand(2, 4, generator=rng) * 5 + 0.2
        moved[name] = torch.cat([before * factor.repeat(1, 4), after / factor], dim=1)
    assert close(generator.synthesis_from_styles(moved), generator.synthesis(ws))
    canonical = generator.style_codes(ws)
    for name, code in generator.canonical(moved).items():
        assert close(code, canonical[name])
        assert torch.equal(generator.canonical(canonical)[name], canonical[name])


def test_scales_after_the_wavelet_step_act_after_it(generator, ws):
    """The network as its author runs it: scale, wavelet step, scale, convolutions."""
    layer, raw = generator.blocks["r8"].up, generator.style_codes(ws, raw=True)["r8.up"]
    features = generator.features(ws, "r4.conv")
    before, after = raw.split([16, 4], dim=1)
    stepped = haar_synthesis(features * before[:, :, None, None]) * after[:, :, None, None]
    spread = torch.nn.functional.conv2d(stepped, layer.depthwise, padding=1, groups=4)
    mixed = torch.nn.functional.conv2d(spread, layer.pointwise[:, :, None, None], layer.bias)
    mixed = mixed + layer.noise.const * layer.noise.strength
    assert close(generator.features(ws, "r8.up"), torch.nn.functional.leaky_relu(mixed, 0.2), 1e-5)


def test_replaced_features_resume_the_synthesis(generator, ws):
    picture = generator.synthesis(ws)
    for level in generator.levels:
        kept = generator.features(ws, level.name)
        assert close(generator.synthesis(ws, replacements={level.name: kept}), picture)
        assert not close(generator.synthesis(ws, replacements={level.name: kept + 1}), picture, 1e-3)


def test_truncation_and_noise(generator, ws):
    z = torch.randn(3, 8, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(generator.mapping(z, 0.0), generator.w_mean.expand(3, 6, 8))
    partly = generator.mapping(z, 0.5, cutoff=2)
    assert torch.equal(partly[:, 2:], generator.mapping(z)[:, 2:])
    assert torch.equal(generator.synthesis(ws, noise=[None] * 5), generator.synthesis(ws, noise="none"))
    assert not torch.equal(generator.synthesis(ws, noise="random"), generator.synthesis(ws, noise="random"))


def test_bf16_and_channels_last_stay_near_float32(generator, ws):
    expected = generator.synthesis(ws)
    with torch.autocast("cpu", torch.bfloat16):
        half = generator.synthesis(ws)
    assert half.dtype == torch.float32
    assert close(half, expected, 0.03)


def test_features_are_channels_last(generator, ws):
    for level in generator.levels:
        assert generator.features(ws, level.name).is_contiguous(memory_format=torch.channels_last)


def test_features_of_several_levels_come_from_one_run(generator, ws):
    kept = generator.many_features(ws, ("r16.up", "r8.conv"))
    assert list(kept) == ["r8.conv", "r16.up"]
    assert all(torch.equal(features, generator.features(ws, name)) for name, features in kept.items())
    with pytest.raises(KeyError, match=r"r64\.conv"):
        generator.many_features(ws, ("r64.conv",))


def test_gradients_reach_the_codes(generator, ws):
    codes = {name: code.detach().requires_grad_() for name, code in generator.style_codes(ws).items()}
    generator.synthesis_from_styles(codes).square().sum().backward()
    assert all(float(code.grad.abs().sum()) > 0 for code in codes.values())


def test_statistics_of_its_codes_are_those_of_canonical_ones(generator):
    statistics = code_statistics(generator, samples=50)
    assert statistics["r8.up"].mean.shape == (16,)
    assert float(statistics["r8.up"].deviation.min()) > 0


def test_what_does_not_fit_is_refused(generator, ws):
    codes = generator.style_codes(ws)
    with pytest.raises(ValueError, match=r"r8\.up .*17.* 16, .*20"):
        generator.synthesis_from_styles(codes | {"r8.up": torch.ones(2, 17)})
    with pytest.raises(ValueError, match=r"rgb .* 1; expected 8"):
        generator.synthesis_from_styles(codes | {"rgb": torch.ones(2, 1)})
    with pytest.raises(ValueError, match="expected 5"):
        generator.synthesis(ws, noise=[None])
    with pytest.raises(ValueError, match=r"48 .* 4, 8, "):
        MobileStyleGAN(48)
