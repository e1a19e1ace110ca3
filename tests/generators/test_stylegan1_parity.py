"""StyleGAN1 against the arrays of the reference program: every output, at the limits of `tests/golden/README.md`."""

import pytest
from golden_checkpoints import checkpoint_of

from ghbench.generators.conversion import build_discriminator, genforce
from ghbench.generators.layers import unit_rms


@pytest.fixture(params=["gf_sg1_64", "gf_sg1_32_fused"])
def file(request, golden):
    return golden(request.param)


@pytest.fixture
def generator(file):
    resolution, z_dim, w_dim, width, layers, base, most, fused = file[
        "cfg/res_z_w_mapfmaps_nmap_fbase_fmax_fused"
    ].tolist()
    generator = genforce.generator(checkpoint_of("gf", file), "generator", fused_from=8 if fused == 1 else None)
    sides = (4, 8, 16, 32, 64)
    assert generator.configuration() == {
        "channels": [[side, min(base // side, most)] for side in sides if side <= resolution],
        "z_dim": z_dim,
        "w_dim": w_dim,
        "mapping_layers": layers,
        "mapping_width": width,
        "fused_from": 8 if fused == 1 else 128,
        "colours": 3,
    }
    return generator


def test_mapping_and_truncation(file, generator):
    file.check("out/z_normalised", unit_rms(file["z"]))
    file.check("out/w", generator.mapping_network(file["z"]))
    file.check("out/wp", generator.mapping(file["z"]))
    file.check("out/wp_psi0.7_all", generator.mapping(file["z"], 0.7))
    file.check("out/wp_psi0.5_l4", generator.mapping(file["z"], 0.5, cutoff=4))


def test_pictures(file, generator):
    file.check("out/img_z", generator(file["z"]))
    file.check("out/img_wp", generator.synthesis(file["wp_distinct"]))
    file.check("out/img_psi0.7", generator(file["z"], psi=0.7))


def test_style_codes_and_pictures_from_them(file, generator):
    codes = generator.style_codes(file["wp_distinct"])
    for level in generator.levels:
        file.check(f"out/y_style{level.layer:02}", codes[level.name])
    assert len(file.below("out/y_style")) == len(codes)
    recorded = {level.name: file[f"out/y_style{level.layer:02}"] for level in generator.levels}
    file.check("out/img_wp", generator.synthesis_from_styles(recorded))


@pytest.mark.parametrize("lod", [1.0, 0.25])
def test_levels_of_detail(file, generator, lod):
    generator.lod = lod
    file.check(f"out/img_lod{lod:g}", generator.synthesis(file["out/wp"]))


def test_gradient_with_respect_to_w_plus(file, generator):
    ws = file["wp_distinct"].clone().requires_grad_()
    (generator.synthesis(ws) * file["probe"]).sum().backward()
    file.check("out/grad_wp", ws.grad, gradient=True)


def test_discriminator(file):
    discriminator = build_discriminator(checkpoint_of("gf", file))
    file.check("out/D_logits_B2", discriminator(file["D_x8"][:2]))
    file.check("out/D_logits_B4", discriminator(file["D_x4"]))
    file.check("out/D_logits_B8", discriminator(file["D_x8"]))
