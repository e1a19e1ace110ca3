"""StyleGAN2 against the arrays of two reference programs: every output, at the limits of `tests/golden/README.md`."""

import re

import pytest
import torch
from golden_checkpoints import NVIDIA, checkpoint_of

from ghbench.generators.conversion import build_discriminator, build_generator


def build(name, golden):
    """Generator and discriminator with the weights of a golden file."""
    checkpoint = checkpoint_of(name, golden(name))
    return build_generator(checkpoint), build_discriminator(checkpoint)


def official_level(name, resolution):
    """Our name of the level whose style the official layer `synthesis.bR.PART.affine` makes."""
    side, part = re.fullmatch(r"synthesis\.b(\d+)\.(\w+)\.affine", name).groups()
    ours = {"conv0": "up", "conv1": "conv", "torgb": "rgb"}[part]
    return "rgb" if ours == "rgb" and int(side) == resolution else f"r{side}.{ours}"


def port_level(name, resolution):
    """Our name of the level whose style rosinality's layer `LAYER.conv.modulation` makes."""
    layer, number = re.fullmatch(r"(conv1|convs|to_rgb1|to_rgbs)(?:\.(\d+))?\.conv\.modulation", name).groups()
    number = int(number or 0)
    if layer in {"to_rgb1", "to_rgbs"}:
        side = 4 if layer == "to_rgb1" else 8 * 2**number
        return "rgb" if side == resolution else f"r{side}.rgb"
    return "r4.conv" if layer == "conv1" else f"r{8 * 2 ** (number // 2)}.{('up', 'conv')[number % 2]}"


@pytest.mark.parametrize("name", NVIDIA)
class TestOfficialProgram:
    def test_sizes_are_read_off_the_shapes(self, name, golden):
        file, (generator, discriminator) = golden(name), build(name, golden)
        size, w_dim, z_dim, labels, _, _, layers, rows = file["cfg/res_w_z_c_cbase_cmax_nmap_numws"].tolist()
        clamp = float(file["cfg/conv_clamp"])
        found = generator.configuration()
        assert (generator.resolution, generator.rows) == (size, rows)
        assert (found["w_dim"], found["z_dim"], found["labels"], found["mapping_layers"]) == (
            w_dim,
            z_dim,
            labels,
            layers,
        )
        assert found["conv_clamp"] == discriminator.configuration()["conv_clamp"] == (None if clamp < 0 else clamp)
        assert (found["architecture"], discriminator.architecture) == NVIDIA[name]

    def test_mapping_and_truncation(self, name, golden):
        file, (generator, _) = golden(name), build(name, golden)
        file.check("out/ws", generator.mapping(file["z"], labels=file["c"]))
        file.check("out/ws_psi0.7", generator.mapping(file["z"], 0.7, labels=file["c"]))
        file.check("out/ws_psi0.5_cut4", generator.mapping(file["z"], 0.5, labels=file["c"], cutoff=4))

    @pytest.mark.parametrize("noise", ["const", "none"])
    def test_pictures(self, name, noise, golden):
        file, (generator, _) = golden(name), build(name, golden)
        file.check(f"out/img_{noise}", generator.synthesis(file["out/ws"], noise=noise))
        file.check(f"out/img_distinct_{noise}", generator.synthesis(file["ws_distinct"], noise=noise))

    def test_truncated_pictures_from_z(self, name, golden):
        file, (generator, _) = golden(name), build(name, golden)
        file.check("out/img_psi0.7_const", generator(file["z"], file["c"], psi=0.7))

    def test_style_codes(self, name, golden):
        file, (generator, _) = golden(name), build(name, golden)
        raw = generator.style_codes(file["ws_distinct"], raw=True)
        expected = file.below("out/style/")
        levels = {key: official_level(key, generator.resolution) for key in expected}
        assert set(levels.values()) == set(raw)
        for key, level in levels.items():
            file.check(f"out/style/{key}", raw[level])

    def test_gradient_with_respect_to_w_plus(self, name, golden):
        file, (generator, _) = golden(name), build(name, golden)
        ws = file["ws_distinct"].clone().requires_grad_()
        (generator.synthesis(ws) * file["probe"]).sum().backward()
        file.check("out/grad_ws_distinct", ws.grad, gradient=True)

    def test_discriminator(self, name, golden):
        file, (_, discriminator) = golden(name), build(name, golden)
        check_discriminator(file, discriminator, file["D_c8"])


def check_discriminator(file, discriminator, labels):
    file.check("out/D_logits_B8", discriminator(file["D_x8"], labels))
    file.check("out/D_logits_B2", discriminator(file["D_x8"][:2], None if labels is None else labels[:2]))
    images = file["D_x4"].clone().requires_grad_()
    logits = discriminator(images, None if labels is None else labels[:4])
    file.check("out/D_logits_B4", logits)
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    file.check("out/D_grad_x4", gradient, gradient=True)
    penalty = gradient.square().sum(dim=(1, 2, 3)).mean()
    file.check("out/D_r1_raw", penalty[None], gradient=True)
    return penalty


class TestCommonPort:
    @pytest.fixture
    def file(self, golden):
        return golden("rosinality_sg2")

    @pytest.fixture
    def generator(self, golden):
        return build("rosinality_sg2", golden)[0]

    @pytest.fixture
    def noise(self, file):
        return [file[f"noise/{row}"] for row in range(9)]

    def test_mapping(self, file, generator):
        file.check("out/w", generator.mapping_network(file["z"]))
        file.check("out/latents_z", generator.mapping(file["z"]))
        file.check("out/w_mean_of_ztrunc", generator.mapping_network(file["z_trunc"]).mean(dim=0, keepdim=True))

    def test_pictures_with_explicit_noise(self, file, generator, noise):
        assert {picture.shape[0] for picture in noise} == {1, 3}
        file.check("out/img_z", generator.synthesis(generator.mapping(file["z"]), noise=noise))
        file.check("out/img_wplus", generator.synthesis(file["wplus"], noise=noise))

    def test_pictures_with_stored_noise_and_truncation(self, file, generator):
        file.check("out/img_bufnoise", generator(file["z"]))
        file.check("out/img_trunc", generator(file["z"], psi=0.7))

    def test_style_mixing(self, file, generator):
        ws = generator.mapping(file["z"])
        mixed = torch.cat([ws[:, :3], ws.flip(0)[:, 3:]], dim=1)
        file.check("out/latents_mix", mixed)
        file.check("out/img_mix", generator.synthesis(mixed))

    def test_style_codes(self, file, generator):
        raw = generator.style_codes(file["wplus"], raw=True)
        expected = file.below("out/style/")
        levels = {key: port_level(key, generator.resolution) for key in expected}
        assert set(levels.values()) == set(raw)
        for key, level in levels.items():
            file.check(f"out/style/{key}", raw[level])

    def test_gradient_with_respect_to_w_plus(self, file, generator, noise):
        ws = file["wplus"].clone().requires_grad_()
        (generator.synthesis(ws, noise=noise) * file["probe"]).sum().backward()
        file.check("out/grad_wplus", ws.grad, gradient=True)

    def test_discriminator_and_second_order_gradient(self, file, golden):
        _, discriminator = build("rosinality_sg2", golden)
        discriminator.requires_grad_()
        penalty = check_discriminator(file, discriminator, None)
        (second,) = torch.autograd.grad(penalty, discriminator.final_conv.weight)
        file.check("out/D_r1_grad_final_conv_weight", second, gradient=True)

    def test_closed_form_factorisation(self, file, generator):
        """Right singular vectors of the stacked affine weights of all convolutions and the first `rgb`, signs free."""
        layers = [level.name for level in generator.levels if level.scale_free or level.name == "r4.rgb"]
        stacked = torch.cat([generator.get_submodule(f"blocks.{name}").style.weight for name in layers])
        _, _, rows = torch.linalg.svd(stacked.detach(), full_matrices=False)
        cosines = (rows.T * file["out/closed_form_eigvec"]).sum(dim=0).abs()
        assert float(cosines.min()) > 1 - 1e-4
