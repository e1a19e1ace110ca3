"""The published MobileStyleGAN and DCGAN: read from their wheels, checked, and equal to what their authors run."""

import numpy as np
import pytest
import torch

from ghbench.errors import DataError, MissingError, UsageError
from ghbench.generators import mobile_weights
from ghbench.generators.dcgan import DCGAN, load_dcgan
from ghbench.generators.mobile_weights import build_mobile_stylegan, constant_shapes, load_mobile_stylegan
from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import area_average, seeded_z
from ghbench.locations import offline

needs_network = pytest.mark.skipif(offline(), reason="GHBENCH_OFFLINE is set")


@pytest.fixture(scope="module")
def constants():
    """Random constants under the names and shapes of the files."""
    rng = np.random.default_rng(0)
    shapes = constant_shapes()
    return {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def generator():
    return load_mobile_stylegan()


@pytest.fixture(scope="module")
def references(generator):
    """Four z that no head was fitted on, and the whole network's images of them."""
    z = seeded_z(range(1_000_000, 1_000_004), 512)
    return z, generator.synthesis(generator.mapping(z, 0.7))


@pytest.mark.network
@needs_network
class TestPublishedFaces:
    def test_golden_w_and_pictures(self, generator, golden):
        file = golden("mobile_stylegan_ffhq")
        w = generator.mapping(file["z"])[:, 0]
        assert float((w - file["w"]).abs().max()) <= 1e-4 * float(file["w"].abs().max())
        for row in range(len(w)):
            picture = generator.synthesis(file["w"][row : row + 1])
            area = torch.nn.functional.avg_pool2d(picture, 8)[0]
            assert float((area - file["image_area128"][row]).abs().max()) <= 1e-3
            crop = picture[0, :, 480:544, 480:544]
            assert float((crop - file["image_crop_480_544"][row]).abs().max()) <= 1e-3

    def test_codes_of_the_paper_scale(self, generator):
        ws = generator.mapping(torch.zeros(1, 512))
        assert sum(code.shape[1] for code in generator.style_codes(ws).values()) == 6016
        assert sum(code.shape[1] for code in generator.style_codes(ws, raw=True).values()) == 6752
        assert not any(parameter.requires_grad for parameter in generator.parameters())

    def test_random_gauge_leaves_the_picture_as_it_is(self, generator):
        ws = generator.mapping(torch.randn(1, 512, generator=torch.Generator().manual_seed(3)), 0.7)
        raw = generator.style_codes(ws, raw=True)
        moved, rng = dict(raw), torch.Generator().manual_seed(4)
        for level in generator.levels:
            if level.name.endswith(".up"):
                before, after = raw[level.name].split([level.code_width, level.code_width // 4], dim=1)
                factor = torch.rand(after.shape, generator=rng) * 3 + 0.3
                moved[level.name] = torch.cat([before * factor.repeat(1, 4), after / factor], dim=1)
        picture = generator.synthesis(ws)
        assert float((generator.synthesis_from_styles(moved) - picture).abs().max()) <= 1e-4
        canonical, again = generator.style_codes(ws), generator.canonical(moved)
        assert all(torch.allclose(again[name], code, rtol=1e-5, atol=1e-6) for name, code in canonical.items())
        assert float((generator.synthesis_from_styles(canonical) - picture).abs().max()) <= 1e-5

    def test_a_shorter_network_is_the_beginning_of_the_whole(self, generator):
        whole = generator.state_dict()
        folder = mobile_weights.assets.path(mobile_weights.ASSET)
        read = [
            mobile_weights.openvino_ir.read(folder / f"{name}Network.xml").tensors for name in ("Mapping", "Synthesis")
        ]
        short = build_mobile_stylegan(*read, size=64)
        ws = short.mapping(torch.zeros(1, 512))
        expected = generator.features(torch.cat([ws, ws], dim=1), "r32.conv")
        assert torch.equal(short.features(ws, "r32.conv"), expected)
        assert all(torch.equal(value, whole[name]) for name, value in short.state_dict().items() if "rgb" not in name)


@pytest.mark.network
@needs_network
@pytest.mark.parametrize(("size", "least"), [(64, 23.0), (128, 25.0), (256, 27.0)])
def test_shipped_heads_draw_what_the_whole_network_draws(references, size, least):
    """A few of the 200 images whose mean the card states; faces differ by some dB."""
    short, (z, whole) = load_mobile_stylegan(size), references
    expected = area_average(whole, size).clamp(-1, 1)
    error = (short.synthesis(short.mapping(z, 0.7)).clamp(-1, 1) - expected).square().mean(dim=(1, 2, 3))
    assert float((10 * torch.log10(4 / error)).mean()) > least


@pytest.mark.network
@needs_network
def test_dcgan_makes_pictures_that_vary():
    generator = load_dcgan()
    assert isinstance(generator, Generator)
    pictures = generator(torch.randn(4, 100, generator=torch.Generator().manual_seed(0)), psi=0.8)
    assert pictures.shape == (4, 3, 64, 64)
    assert float(pictures.std(dim=0).mean()) > 0.1


def test_every_constant_is_looked_for_under_its_shape(constants):
    assert len(constants) == 8 * 2 + 4 + 2 + 7 * (2 + 2 * 6) + 4
    wrong = dict(constants)
    wrong["Mul_39_copy"] = np.zeros((3, 3), np.float32)
    del wrong["1531"]
    with pytest.raises(DataError, match=r"missing: 1531, expected \(1, 1, 4, 4\)\n.*wrong shape: Mul_39_copy"):
        build_mobile_stylegan({}, wrong)


def test_stored_noise_is_taken_apart_into_noise_of_unit_deviation_and_its_strength(constants):
    generator = build_mobile_stylegan({}, constants, size=64)
    noise = generator.blocks["r16"].conv.noise
    assert torch.allclose(noise.const.square().mean(), torch.tensor(1.0), atol=1e-5)
    assert torch.allclose(noise.const * noise.strength, torch.from_numpy(constants["1613"][0, 0]), atol=1e-6)


def test_without_a_trained_head_the_mending_command_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(mobile_weights, "head_file", lambda: tmp_path / "model.safetensors")
    with pytest.raises(MissingError, match="ghbench train heads --generator mobile-stylegan-ffhq"):
        load_mobile_stylegan(128)
    with pytest.raises(UsageError, match="64, 128, 256, 1024"):
        load_mobile_stylegan(100)


def test_dcgan_has_one_level_and_no_styles():
    generator = DCGAN(z_dim=6, widths=(8, 4)).eval()
    z = torch.randn(2, 6)
    assert [(level.name, level.code_width, level.resolution) for level in generator.levels] == [("z", 6, 16)]
    assert torch.equal(generator.mapping(z, 0.5), z[:, None] / 2)
    assert torch.equal(generator(z), generator.synthesis(z))
    assert torch.equal(generator.features(z, "z"), generator(z))
    for call in (generator.style_codes, generator.synthesis_from_styles):
        with pytest.raises(UsageError, match="no style codes"):
            call(z)
    with pytest.raises(ValueError, match=r"expected \[N, 1, 6\]"):
        generator.synthesis(torch.zeros(2, 5))
