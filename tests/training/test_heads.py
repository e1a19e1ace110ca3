"""Heads for shorter networks: fitted on the whole network's images, better with modulation than without."""

import copy

import numpy as np
import pytest
import torch

from ghbench.checkpoints import read
from ghbench.errors import UsageError
from ghbench.generators import mobile_weights
from ghbench.generators.haar import haar_analysis, haar_synthesis
from ghbench.generators.mobile_stylegan import MobileStyleGAN, WaveletHead
from ghbench.seeds import purpose_of
from ghbench.training import heads
from ghbench.training.head_samples import feeding_level, style_row
from ghbench.training.heads import HeadOptions, HeadRecipe, head_loss, least_squares, psnr
from ghbench.training.loop import Schedule, train
from ghbench.training.machine import Machine
from ghbench.training.run_folder import RunFolder

CHANNELS = {4: 16, 8: 16, 16: 16, 32: 16, 64: 16, 128: 8, 256: 8}
OPTIONS = HeadOptions(renders=20, pixels=40, evaluated=3, batch=4, images=80)


@pytest.fixture(scope="module")
def networks():
    """A whole random network of 512 px and its beginning, of 256 px."""
    torch.manual_seed(0)
    whole = (
        MobileStyleGAN(512, channels=CHANNELS, z_dim=8, w_dim=8, mapping_layers=2)
        .eval()
        .requires_grad_(requires_grad=False)
    )
    whole.mapping_network.estimate_w_mean(200)
    short = (
        MobileStyleGAN(256, channels=CHANNELS, z_dim=8, w_dim=8, mapping_layers=2)
        .eval()
        .requires_grad_(requires_grad=False)
    )
    shared = {name: value for name, value in whole.state_dict().items() if name in short.state_dict()}
    short.load_state_dict({**shared, **{k: v for k, v in short.state_dict().items() if k.startswith("rgb.")}})
    return whole, short


@pytest.fixture(scope="module")
def run(networks, tmp_path_factory):
    """A finished run: its recipe, its outcome and its folder."""
    folder = tmp_path_factory.mktemp("heads")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    recipe = HeadRecipe(*networks, folder, OPTIONS)
    machine = Machine(accelerator="cpu", precision="32-true", compiled=False)
    schedule = Schedule(images=OPTIONS.images, log_every=40, pictures_every=0)
    outcome = train(recipe, schedule, RunFolder(folder / "run"), machine, command="ghbench train heads")
    torch.set_num_threads(threads)
    return recipe, outcome, folder


def test_heads_take_the_features_and_the_row_that_follow_each_other(networks):
    levels = {level.name: level for level in networks[0].levels}
    for size in mobile_weights.HEAD_SIZES:
        assert levels[feeding_level(size)].resolution == size // 2
        assert style_row(size) == levels[feeding_level(size)].layer + 1
        assert style_row(size) == MobileStyleGAN(size, channels=CHANNELS, w_dim=8).levels[-1].layer


def test_least_squares_finds_a_head_that_explains_everything():
    torch.manual_seed(0)
    true = WaveletHead(8, 4)
    torch.nn.init.zeros_(true.style.weight)
    features, w = torch.randn(70, 30, 8).half(), torch.randn(70, 4)
    bands = true.bands(features.float(), true.style(w)).detach()
    fitted = WaveletHead(8, 4)
    least_squares(fitted, features, bands)
    with torch.no_grad():
        error = head_loss(fitted, features.float(), w, bands)
    assert float(error) < 1e-6 * float(bands.square().mean())


def test_error_of_bands_is_that_of_pixels():
    bands, expected = torch.randn(2, 12, 4, 4), torch.randn(2, 12, 4, 4)
    of_pixels = (haar_synthesis(bands) - haar_synthesis(expected)).square().mean()
    assert torch.isclose((bands - expected).square().mean(), of_pixels, rtol=1e-5)
    assert torch.allclose(haar_analysis(haar_synthesis(bands)), bands, atol=1e-6)


@pytest.mark.parametrize("wrong", [
    {"batch": 0}, {"rate": -1.0}, {"mixed": 2.0}, {"least_psi": 2.0}, {"pixels": 0}, {"decay": float("nan")},
])  # fmt: skip
def test_numbers_that_no_training_can_have_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        HeadOptions(**wrong)


def test_psnr_of_clipped_pictures_with_range_two():
    images = torch.full((1, 3, 2, 2), 3.0)
    assert torch.isclose(psnr(images, torch.full((1, 3, 2, 2), 0.8)), torch.tensor(20.0))


def test_seeds_that_are_evaluated_are_not_fitted_on():
    for psi in heads.EVALUATED_PSI:
        held_out = HeadOptions().held_out_renders(psi)
        assert (held_out.first_seed, purpose_of(held_out.first_seed, held_out.count)) == (1_000_000, "monitoring")
    assert purpose_of(HeadOptions().training_renders().first_seed, HeadOptions().training_renders().count) == "train"
    for options in (HeadOptions(renders=1_000_001), HeadOptions(evaluated=1_000_001)):
        with pytest.raises(UsageError, match="expected at least one, all of one purpose"):
            _ = options.training_renders(), options.held_out_renders(1.0)
    assert HeadOptions().renders >= 2_000
    assert HeadOptions().held_out_renders(0.7).count == 200


def test_modulation_and_adam_improve_on_least_squares(run):
    recipe, outcome, _ = run
    fitted = {size: recipe.averages[f"head{size}"].module for size in mobile_weights.HEAD_SIZES}
    for size, head in fitted.items():
        plain = copy.deepcopy(head)
        least_squares(plain, *(recipe.samples[f"{part}{size}"] for part in ("features", "bands")))
        arguments = [recipe.samples[f"{part}{size}"].float() for part in ("features", "w", "bands")]
        assert float(head_loss(head, *arguments)) < float(head_loss(plain, *arguments))
    assert outcome.finished
    assert set(outcome.metrics) == {f"psnr_{size}px_psi{psi}" for size in (64, 128, 256) for psi in ("0.7", "1")}


def test_metrics_are_those_of_the_finished_short_network(run, networks):
    _, outcome, folder = run
    whole, _ = networks
    state = read(folder / "run" / "model.safetensors").network("head128")
    short = MobileStyleGAN(128, channels=CHANNELS, z_dim=8, w_dim=8, mapping_layers=2)
    own = {name: whole.state_dict().get(name) for name in short.state_dict()}
    own |= {f"rgb.{name}": torch.from_numpy(np.array(value)) for name, value in state.items()}
    short.load_state_dict(own)
    values = []
    for seed in range(1_000_000, 1_000_003):
        z = heads.recipe_codes(OPTIONS.held_out_renders(0.7), whole, [seed])
        stored = heads.to_uint8(heads.area_average(whole.synthesis(z), 256))
        expected = heads.area_average(heads.from_uint8(stored), 128)
        values.append(psnr(short.synthesis(z[:, : short.rows]), expected).item())
    assert outcome.metrics["psnr_128px_psi0.7"] == pytest.approx(np.mean(values), abs=0.02)


def test_card_and_metadata_say_licence_teacher_and_command(run):
    _, _, folder = run
    assert read(folder / "run" / "model.safetensors").config["licence"] == heads.LICENCE
    card = (folder / "run" / "card.md").read_text()
    for text in (heads.LICENCE, "random-face", "ghbench train heads", "20 renders", "psnr_256px_psi1"):
        assert text in card
