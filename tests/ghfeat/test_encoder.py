"""The encoder is the paper's: shapes, numbers of parameters, and which head reads which map."""

import json

import pytest
import torch

from ghbench.errors import DataError, UsageError
from ghbench.generators.code_statistics import CodeStatistics
from ghbench.generators.stylegan1 import StyleGAN1
from ghbench.generators.tiny import tiny_generator
from ghbench.ghfeat.network.config import EncoderConfig, compact, paper
from ghbench.ghfeat.network.encoder import Encoder, synchronise_norms
from ghbench.ghfeat.network.heads import QUERIES, Affine, AttentionPooling
from ghbench.ghfeat.network.layout import CodeLayout, CodeLevel, adain_layout, layout_of
from ghbench.ghfeat.network.passes import STEP, predicted
from ghbench.ghfeat.network.statistics import layout_statistics

OFFICIAL = adain_layout({4: 512, 8: 512, 16: 512, 32: 512, 64: 256, 128: 128, 256: 64})
SMALL = adain_layout(dict.fromkeys((4, 8, 16, 32, 64, 128, 256), 4))
MOBILE = CodeLayout("canonical", tuple(CodeLevel(f"slot{row}", 512, row) for row in range(10)), rows=10)


def small(layout=SMALL, size=256, **changes):
    torch.manual_seed(0)
    return Encoder(EncoderConfig(layout, size, depth=18, width=1 / 8, pyramid_width=8, **changes))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def official():
    """The full network without numbers: shapes at no cost."""
    with torch.device("meta"):
        return Encoder(paper(OFFICIAL)).eval()


def test_the_paper_encoder_has_151_766_976_parameters(official):
    parts = {name: round(count(getattr(official, name)) / 1e6, 2) for name in ("pyramid", "alignment", "heads")}
    assert parts == {"pyramid": 30.67, "alignment": 7.08, "heads": 81.82}
    assert count(official.trunk) - count(official.trunk.stages[4]) == pytest.approx(23.53e6, rel=1e-3)
    assert count(official.trunk.stages[4]) == pytest.approx(8.66e6, rel=1e-3)
    assert count(official) == 151_766_976


def test_the_paper_encoder_has_the_papers_shapes(official):
    images = torch.empty(2, 3, 256, 256, device="meta")
    stem = official.trunk.stem(images)
    assert stem.shape == (2, 64, 128, 128)
    assert official.trunk.pool(stem).shape == (2, 64, 64, 64)
    maps = official.trunk(images)
    assert [tuple(found.shape[1:]) for found in maps] == [(1024, 16, 16), (2048, 8, 8), (2048, 4, 4)]
    pyramid = official.pyramid(maps)
    assert [tuple(found.shape[1:]) for found in pyramid] == [(512, 16, 16), (512, 8, 8), (512, 4, 4)]
    assert {tuple(found.shape[1:]) for found in official.alignment(pyramid)} == {(512, 4, 4)}
    assert {name: head.dense.out_features for name, head in official.heads.items()} == {
        "high": 4096,
        "mid": 4096,
        "low": 1792,
    }
    codes = official(images)
    assert [code.shape[1] for code in codes.values()] == [1024] * 8 + [512] * 2 + [256] * 2 + [128] * 2
    assert list(codes) == [level.name for level in OFFICIAL.levels]
    assert OFFICIAL.width == 9984


def test_the_stem_is_leaky_and_convolutions_in_blocks_have_biases(official):
    assert official.trunk.stem.slope == 0.2
    assert official.trunk.stem.conv.bias is None
    unit = official.trunk.stages[0][0]
    assert [part.conv.bias is not None for part in unit.parts] == [True, True, True]
    assert unit.shortcut.conv.bias is None
    assert official.trunk.stages[0][1].shortcut is None


def test_initial_weights_have_a_standard_deviation_of_one_fiftieth():
    encoder = small()
    weight = encoder.heads["high"].dense.weight
    assert float(weight.detach().std()) == pytest.approx(0.02, rel=0.05)
    assert not encoder.heads["high"].dense.bias.any()
    assert (encoder.trunk.stem.norm.momentum, encoder.trunk.stem.norm.eps) == (0.1, 1e-5)


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def level_codes(encoder, maps):
    found = {}
    for head in encoder.heads.values():
        found |= head(maps[{"shallow": 0, "middle": 1, "deep": 2}[head.depth]])
    return found


@torch.no_grad()
def test_the_deepest_map_reaches_all_levels_and_an_aligned_one_only_its_own():
    encoder = small().eval()
    maps = encoder.trunk(torch.randn(2, 3, 256, 256))
    pyramid = encoder.pyramid(maps)
    aligned = encoder.alignment(pyramid)
    before = level_codes(encoder, aligned)
    deeper = level_codes(encoder, encoder.alignment((pyramid[0], pyramid[1], pyramid[2] + 1)))
    assert changed(before, deeper) == set(before)
    finer = level_codes(encoder, (aligned[0] + 1, aligned[1], aligned[2]))
    assert changed(before, finer) == {level.name for level in SMALL.levels if level.layer >= 8}
    coarser = level_codes(encoder, (aligned[0], aligned[1], aligned[2] + 1))
    assert changed(before, coarser) == {level.name for level in SMALL.levels if level.layer < 4}


@torch.no_grad()
def test_without_alignment_only_the_top_down_path_joins_maps():
    encoder = small(alignment=False).eval()
    pyramid = encoder.pyramid(encoder.trunk(torch.randn(2, 3, 256, 256)))
    before = level_codes(encoder, encoder.alignment(pyramid))
    deeper = level_codes(encoder, encoder.alignment((pyramid[0], pyramid[1], pyramid[2] + 1)))
    assert changed(before, deeper) == {level.name for level in SMALL.levels if level.layer < 4}
    assert count(small()) - count(encoder) == 3 * (8 * 8 * 9 + 8)


def test_compact_has_at_most_15_million_parameters_and_a_head_per_level():
    with torch.device("meta"):
        encoder = Encoder(compact(MOBILE, 128)).eval()
        codes = encoder(torch.empty(2, 3, 128, 128))
    assert count(encoder) <= 15_000_000
    assert list(encoder.heads) == [level.name for level in MOBILE.levels]
    assert {head.squeeze.out_channels for head in encoder.heads.values()} == {16}
    assert {code.shape for code in codes.values()} == {(2, 512)}
    by_row = Encoder(compact(MOBILE, 128, reading="row"))
    assert [head.depth for head in by_row.heads.values()] == ["deep"] * 4 + ["middle"] * 4 + ["shallow"] * 2


def test_compact_heads_read_the_map_of_their_resolution_rectified_and_end_affine():
    names = ("r4.conv", "r8.up", "r8.conv", "r16.up", "r64.conv", "rgb")
    layout = CodeLayout("canonical", tuple(CodeLevel(name, 8, row) for row, name in enumerate(names)), rows=10)
    encoder = Encoder(compact(layout, 64, width=1 / 8, pyramid_width=8))
    assert [head.depth for head in encoder.heads.values()] == ["deep", "middle", "middle", *["shallow"] * 3]
    assert all(isinstance(head.norm, Affine) and head.rectified for head in encoder.heads.values())
    images = torch.rand(4, 3, 64, 64)
    encoder.eval()
    together, alone = encoder(images), encoder(images[:1])
    torch.testing.assert_close(together["rgb"][:1], alone["rgb"])


def test_attention_pools_a_weighted_mean_of_the_map():
    torch.manual_seed(0)
    pooling = AttentionPooling(6)
    same = torch.rand(2, 6, 1, 1).expand(-1, -1, 4, 4)
    torch.testing.assert_close(pooling(same), same[:, :, 0, 0].repeat(1, QUERIES))
    encoder = Encoder(compact(SMALL, 64, width=1 / 8, pyramid_width=8, gathering="attention")).eval()
    assert all(code.shape[0] == 2 for code in encoder(torch.rand(2, 3, 64, 64)).values())


def test_further_passes_take_back_what_the_encoder_shrinks():
    class Shrinking:
        """E(x) = .8 x of a generator that draws its codes."""

        def standardised_codes(self, images):
            return {"all": 0.8 * images}

        def codes_of(self, units):
            return units

    images = torch.linspace(-0.9, 0.9, 8)[:, None]
    for passes in (1, 2, 5):
        found = predicted(Shrinking(), images, lambda codes: codes["all"], passes)["all"]
        torch.testing.assert_close(found, images * (1 - 0.2 * (1 - 0.8 * STEP) ** (passes - 1)))


@pytest.mark.parametrize("size", [32, 64, 128, 256, 512, 1024])
@pytest.mark.parametrize("depth", [18, 34, 50, 101])
def test_any_size_ends_at_maps_of_16_8_and_4(size, depth):
    sides = [4 * 2**row for row in range(size.bit_length() - 2)]
    with torch.device("meta"):
        encoder = Encoder(EncoderConfig(adain_layout(dict.fromkeys(sides, 4)), size, depth=depth))
        maps = encoder.trunk(torch.empty(2, 3, size, size))
        codes = encoder(torch.empty(2, 3, size, size))
    assert [found.shape[2] for found in maps] == [16, 8, 4]
    assert len(encoder.heads) == 3
    assert len(codes) == 2 * len(sides)


def test_weights_have_the_same_shapes_at_64_and_128_px():
    with torch.device("meta"):
        shapes = [
            {name: value.shape for name, value in Encoder(compact(MOBILE, size)).state_dict().items()}
            for size in (64, 128)
        ]
    assert shapes[0] == shapes[1]


def generators():
    torch.manual_seed(0)
    # Style codes wider than w, as the ablation needs them.
    return [tiny_generator(), StyleGAN1(dict.fromkeys((4, 8, 16, 32), 6), z_dim=5, w_dim=7, mapping_layers=2)]


@torch.no_grad()
@pytest.mark.parametrize("heads", ["three", "level"])
@pytest.mark.parametrize("space", [None, "w", "w_plus"])
@pytest.mark.parametrize("which", [0, 1])
def test_predicted_codes_have_the_shapes_of_a_generators_codes(which, space, heads):
    generator = generators()[which]
    layout = layout_of(generator, space)
    true = layout.codes(generator, generator.mapping(torch.randn(2, generator.z_dim)))
    predicted = small(layout, 32, heads=heads)(torch.randn(2, 3, 32, 32))
    assert {name: code.shape for name, code in predicted.items()} == {name: code.shape for name, code in true.items()}


@torch.no_grad()
@pytest.mark.parametrize("which", [0, 1])
def test_true_codes_of_a_layout_draw_the_images_of_w(which):
    generator = generators()[which]
    ws = generator.mapping(torch.randn(2, generator.z_dim))
    layout = layout_of(generator)
    assert {level.name: level.width for level in layout.levels} == {
        level.name: level.code_width for level in generator.levels
    }
    codes = layout.codes(generator, ws)
    torch.testing.assert_close(generator.synthesis_from_styles(codes), generator.synthesis(ws), rtol=0, atol=2e-5)
    rows = torch.stack(list(layout_of(generator, "w_plus").codes(generator, ws).values()), dim=1)
    assert torch.equal(rows, ws)


def test_levels_of_w_plus_are_named_after_convolutions():
    names = [level.name for level in layout_of(tiny_generator(), "w_plus").levels]
    assert names == ["r4.conv", "r8.up", "r8.conv", "r16.up", "r16.conv", "r32.up", "r32.conv", "rgb"]


def test_a_layout_refuses_codes_that_the_generator_lacks():
    with pytest.raises(UsageError, match="adain"):
        layout_of(tiny_generator(), "adain")
    with pytest.raises(UsageError, match="canonical"):
        layout_of(generators()[1], "canonical")


@torch.no_grad()
def test_codes_are_mean_plus_standard_deviation_times_the_norms_output():
    encoder = small().eval()
    images = torch.randn(2, 3, 256, 256)
    plain = encoder(images)
    assert all(torch.equal(code, encoder.standardised_codes(images)[name]) for name, code in plain.items())
    encoder.use_statistics(
        {level.name: CodeStatistics(torch.full((8,), 3.0), torch.full((8,), 2.0)) for level in SMALL.levels}
    )
    for name, code in encoder(images).items():
        torch.testing.assert_close(code, 3 + 2 * plain[name])
    with pytest.raises(KeyError):
        encoder.use_statistics({})


@torch.no_grad()
@pytest.mark.parametrize("space", [None, "w", "w_plus"])
def test_statistics_of_any_space_are_those_of_its_codes(space):
    generator = tiny_generator()
    layout = layout_of(generator, space)
    found = layout_statistics(generator, layout, samples=200, seed=3)
    z = torch.randn(200, generator.z_dim, generator=torch.Generator().manual_seed(3))
    for name, code in layout.codes(generator, generator.mapping(z)).items():
        torch.testing.assert_close(found[name].mean, code.mean(dim=0), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found[name].deviation, code.std(dim=0, correction=0), rtol=1e-4, atol=1e-5)


def test_autocast_and_memory_format_leave_codes_float32_and_close():
    encoder = small(blocks="plain").eval()
    images = torch.randn(2, 3, 256, 256)
    expected = encoder(images)
    last = encoder.to(memory_format=torch.channels_last)
    for name, code in last(images.contiguous(memory_format=torch.channels_last)).items():
        torch.testing.assert_close(code, expected[name], rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        codes = last(images)
    assert {code.dtype for code in codes.values()} == {torch.float32}
    codes["r4.const"].sum().backward()
    assert torch.isfinite(encoder.trunk.stem.conv.weight.grad).all()


def test_a_single_process_keeps_its_norms():
    encoder = small()
    assert synchronise_norms(encoder) is encoder


@pytest.mark.parametrize(
    "config",
    [paper(OFFICIAL, padding="same"), compact(MOBILE), compact(layout_of(tiny_generator(), "w"), 32, alignment=False)],
)
def test_a_configuration_survives_json(config):
    assert EncoderConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    "wrong",
    [{"size": 48}, {"size": 16}, {"depth": 20}, {"width": 0}, {"padding": "reflect"}, {"heads": "two"}, {"blocks": 3}],
)
def test_invalid_configurations_are_refused(wrong):
    with pytest.raises(UsageError, match="encoder"):
        EncoderConfig(SMALL, **wrong)
    with pytest.raises(DataError, match="encoder"):
        EncoderConfig.from_json({**EncoderConfig(SMALL).to_json(), **wrong})


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"\[N, 3, 256, 256\]"):
        small()(torch.randn(2, 3, 128, 128))
