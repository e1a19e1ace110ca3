"""Adversarial training on a handful of images: its losses, its resumption, what it writes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ghbench.data.grey_images import GreyImages
from ghbench.dataset import DatasetCard
from ghbench.errors import UsageError
from ghbench.generators.native import load_native
from ghbench.training.gan import GanOptions, GanRecipe, make_networks
from ghbench.training.gan_export import in_colour
from ghbench.training.gan_losses import discriminator_loss, generator_loss, path_lengths, r1_penalty
from ghbench.training.images import TrainingImages
from ghbench.training.loop import Schedule, train
from ghbench.training.machine import Machine
from ghbench.training.run_folder import RunFolder

SMALL = {"size": 8, "channels": 4, "most_channels": 4, "z_dim": 4, "w_dim": 4, "mapping_layers": 2, "batch": 4}


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (12, 8, 8), dtype=np.uint8)
    card = DatasetCard("squares", "Noise", "CC0", "none", "made here")
    ids, labels = [str(row) for row in range(12)], np.zeros(12, dtype=np.int64)
    splits = {"train": np.arange(10), "test": np.arange(10, 12)}
    return TrainingImages(GreyImages(card, ids, pixels, labels, ["none"], splits), 8)


@pytest.fixture
def machine():
    return Machine(accelerator="cpu", precision="32-true", compiled=False)


def test_losses_at_known_logits():
    zero = torch.zeros(3, 1)
    assert generator_loss(zero).item() == pytest.approx(np.log(2))
    assert discriminator_loss(zero, zero).item() == pytest.approx(2 * np.log(2))
    assert discriminator_loss(torch.tensor([[-50.0]]), torch.tensor([[50.0]])).item() == pytest.approx(0, abs=1e-6)


def test_r1_is_the_sum_over_pixels():
    images = torch.randn(2, 1, 4, 4, requires_grad=True)
    penalty = r1_penalty((3 * images).sum(dim=(1, 2, 3))[:, None], images)
    assert penalty.item() == pytest.approx(9 * 16)


def test_path_length_of_a_linear_synthesis():
    ws = torch.randn(5, 3, 2, requires_grad=True)
    images = ws.sum(dim=1).repeat_interleave(8, dim=1).reshape(5, 1, 4, 4)
    lengths = path_lengths(images, ws, torch.ones_like(images))
    # Each of the two numbers of a row moves 8 of the 16 pixels by 1; divided by the side of 4.
    torch.testing.assert_close(lengths, torch.full((5,), np.sqrt(2 * (8 / 4) ** 2), dtype=torch.float32))


def test_a_border_of_black_and_only_the_split(images):
    wide = TrainingImages(images.dataset, 9)
    assert len(wide) == 10
    batch = wide.batch(np.array([3]), torch.device("cpu"))
    assert batch.shape == (1, 3, 9, 9)
    assert (batch[:, :, 8] == -1).all()
    np.testing.assert_array_equal(wide.uint8(np.array([3]))[0, 0, :8, :8], images.dataset.pixels()[3])


def test_a_split_that_is_not_there(images):
    with pytest.raises(UsageError, match="'validation'"):
        TrainingImages(images.dataset, 8, split="validation")


@pytest.mark.parametrize(
    "options",
    [{"model": "stylegan2", "path_weight": 2.0, "path_every": 2, "r1_every": 2, "mirror": True},
     {"model": "stylegan1", "colours": 1, "augment_target": 0.6, "r1_every": 2}],
    ids=["stylegan2", "stylegan1"],
)  # fmt: skip
def test_interrupted_equals_uninterrupted_down_to_the_exported_file(tmp_path, images, machine, options):
    made = {}
    for run, stops in {"straight": (99,), "interrupted": (2, 99)}.items():
        for stop_after in stops:
            recipe = GanRecipe(GanOptions(**SMALL, **options), images)
            steps = iter(range(stop_after))
            train(
                recipe, Schedule(images=24), RunFolder(tmp_path / run), machine, command="ghbench train",
                stop=lambda steps=steps: next(steps, None) is None,
            )  # fmt: skip
        generator = load_native(tmp_path / run / "model.safetensors")
        z = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
        made[run] = generator.synthesis(generator.mapping(z, psi=0.7))
        card = (tmp_path / run / "card.md").read_text()
        assert "that of the training images: CC0" in card
        assert "| images | 24 |" in card
    assert made["straight"].shape == (3, 3, 8, 8)
    torch.testing.assert_close(made["straight"], made["interrupted"], rtol=0, atol=0)


def test_training_moves_both_networks_and_their_losses_stay_finite(tmp_path, images, machine):
    recipe = GanRecipe(GanOptions(**SMALL), images)
    before = {name: parameter.clone() for name, parameter in recipe.generator.named_parameters()}
    folder = RunFolder(tmp_path / "run")
    train(recipe, Schedule(images=16, log_every=4), folder, machine)
    moved = [
        name for name, parameter in recipe.generator.named_parameters() if not torch.equal(parameter, before[name])
    ]
    assert len(moved) > len(before) / 2
    losses = [line["D"] for line in folder.history() if "D" in line]
    assert np.isfinite(losses).all()
    assert len(losses) == 4


@pytest.mark.parametrize("model", ["stylegan1", "stylegan2"])
def test_grey_networks_become_three_equal_colours(model):
    grey, critic = make_networks(GanOptions(**SMALL, model=model, colours=1))
    z = torch.randn(4, 4)
    picture = grey.synthesis(grey.mapping(z))
    coloured = in_colour(grey).synthesis(in_colour(grey).mapping(z))
    torch.testing.assert_close(coloured, picture.expand(-1, 3, -1, -1))
    torch.testing.assert_close(in_colour(critic)(coloured), critic(picture), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [{"r1_every": 0}, {"batch": 0}, {"channels": 0}, {"rate": float("nan")}, {"colours": 2}, {"half_life": 0.0},
     {"mapping_layers": 0}, {"mixing": 1.5}],
    ids=str,
)  # fmt: skip
def test_options_that_cannot_be(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        GanOptions(**wrong)


def test_a_path_length_that_is_not_finite_does_not_stay(images, machine):
    recipe = GanRecipe(GanOptions(**SMALL, path_weight=2.0), images)
    recipe.prepare(machine)
    with torch.no_grad():
        recipe.generator.const.fill_(torch.nan)
    recipe._path_step(2, torch.device("cpu"))
    assert torch.isfinite(recipe.path_mean)


def test_an_accelerator_that_is_not_here():
    with pytest.raises(UsageError, match="accelerator=nope"):
        Machine(accelerator="nope")


def test_without_a_compiler_nothing_is_compiled(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert not Machine(accelerator="cpu", precision="32-true", compiled=True).compiled


def test_sizes_that_cannot_be():
    with pytest.raises(UsageError, match="power of two"):
        GanOptions(size=48).channel_table()
