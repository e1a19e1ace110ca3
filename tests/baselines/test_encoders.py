"""Encoders that learn without a generator: their losses, their views, a run from the command to the table's row."""

import itertools
import math

import numpy as np
import pytest
import torch
from ghbench_baselines.encoders.bigan import Bigan, PairDiscriminator
from ghbench_baselines.encoders.simclr import SimClr, nt_xent
from ghbench_baselines.encoders.vae import Vae
from ghbench_baselines.encoders.views import Views, view
from torch import nn

import ghbench
from ghbench import checkpoints, locations, registry
from ghbench.errors import MissingError, ProtocolError, UsageError
from ghbench.training.divergence import normal_divergence
from ghbench.training.loop import Schedule, train
from ghbench.training.machine import Machine
from ghbench.training.run_folder import RunFolder

RECIPES = {"vae": Vae, "simclr": SimClr, "bigan": Bigan}
SMALL = ["width=0.125", "batch=8"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    for module in ("recipe", "simclr"):
        monkeypatch.setattr(f"ghbench_baselines.encoders.{module}.MEASURED", 50)


@pytest.fixture(scope="module")
def machine():
    return Machine(accelerator="cpu", devices=1, precision="32-true", compiled=False)


def made(kind, total=32):
    return RECIPES[kind]("digits", 32, total, 0, SMALL)


def test_divergence_is_that_of_torch_distributions():
    means, logs = torch.randn(5, 7), torch.randn(5, 7)
    posterior = torch.distributions.Normal(means, (logs / 2).exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(normal_divergence(means, logs), expected)


def test_nt_xent_of_equal_codes_and_of_pairs_far_from_all_others():
    assert float(nt_xent(torch.ones(8, 3), 0.5)) == pytest.approx(math.log(7))
    pairs = torch.eye(4).repeat(2, 1)
    # e^(1/t) against it and six other views at a cosine of 0.
    assert float(nt_xent(pairs, 0.5)) == pytest.approx(-math.log(math.e**2 / (math.e**2 + 6)))
    assert float(nt_xent(pairs * 7, 0.5)) == pytest.approx(float(nt_xent(pairs, 0.5)))


def test_a_view_without_any_change_is_the_image_and_grey_images_stay_grey():
    images = torch.rand(6, 3, 32, 32) * 2 - 1
    same = view(images, Views(crop=1.0, jitter=0.0, grey=0.0, mirror=False))
    # The sides' ratio varies, so a crop of the whole area is the whole image at least along one side.
    assert same.shape == images.shape
    grey = images[:, :1].expand(-1, 3, -1, -1)
    seen = view(grey, Views(crop=0.3, jitter=0.4, grey=0.2, mirror=True))
    assert float((seen - seen.mean(1, keepdim=True)).abs().max()) < 1e-5
    assert float(seen.abs().max()) <= 1


def test_views_depend_on_the_seed_only():
    images, how = torch.rand(4, 3, 16, 16), Views(0.3, 0.4, 0.2, mirror=True)
    torch.manual_seed(3)
    one = view(images, how)
    torch.manual_seed(3)
    assert torch.equal(one, view(images, how))
    assert not torch.equal(one, view(images, how))


def test_a_discriminator_of_pairs_sees_both_parts():
    judge = PairDiscriminator(10, 32)
    images, codes = torch.randn(4, 3, 32, 32), torch.randn(4, 10)
    scores = judge(images, codes)
    assert scores.shape == (4, 1)
    assert not torch.allclose(scores, judge(images, codes.flip(0)))
    assert not torch.allclose(scores, judge(images.flip(0), codes))


@pytest.mark.parametrize("kind", list(RECIPES))
def test_a_run_ends_with_an_encoder_that_a_table_can_name(kind, machine):
    recipe = made(kind)
    before = [parameter.detach().clone() for parameter in recipe.encoder.parameters()]
    folder = RunFolder(f"{kind}-run")
    outcome = train(recipe, Schedule(images=32), folder, machine, command="ghbench train baseline")
    assert outcome.finished
    assert all(math.isfinite(value) for value in outcome.metrics.values())
    # The deepest pyramid map reaches no head of so small a size; all else moves.
    moved = [bool((old != new).any()) for old, new in zip(before, recipe.encoder.parameters(), strict=True)]
    assert sum(moved) > 0.9 * len(moved)
    extractor = registry.build("extractor", f"trained:run={kind}-run")
    spec = extractor.spec()
    assert spec.name == kind
    assert spec.training.datasets == ("digits",)
    features = extractor.extract(np.zeros((2, 3, 32, 32), np.uint8))
    assert {level.name: level.dim for level in spec.levels} == {k: v.shape[1] for k, v in features.items()}
    assert "no other weights" in (locations.cache() / "runs" / f"{kind}-run" / "card.md").read_text()


@pytest.mark.parametrize("kind", list(RECIPES))
def test_an_interrupted_run_ends_as_one_that_was_not(kind, machine, tmp_path):
    files = []
    for name in ("whole", "parts"):
        folder, schedule = RunFolder(str(tmp_path / name)), Schedule(images=24)
        if name == "parts":
            steps = itertools.count()
            assert not train(
                made(kind, 24), schedule, folder, machine, stop=lambda steps=steps: next(steps) == 1
            ).finished
        train(made(kind, 24), schedule, folder, machine)
        files.append(dict(checkpoints.read(folder.path / "model.safetensors").tensors))
    one, two = files
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_the_widths_are_those_of_the_generator_that_is_named():
    from ghbench.generators.loading import load_generator
    from ghbench.ghfeat.network.layout import layout_of

    recipe = Vae("digits", 32, 32, 0, [*SMALL, "generator=stylegan1-fashion32"])
    assert recipe.encoder.config.layout == layout_of(load_generator("stylegan1-fashion32"))
    # The default is the same: that generator is of our own recipe.
    assert made("vae").encoder.config.layout == recipe.encoder.config.layout


def test_options_that_cannot_be():
    with pytest.raises(UsageError, match="settled"):
        Vae("digits", 32, 32, 0, ["settled=2"])
    with pytest.raises(UsageError, match="unknown option"):
        Vae("digits", 32, 32, 0, ["temperature=1"])


def test_a_run_that_is_not_there_says_how_to_make_it():
    with pytest.raises(MissingError, match="no finished run nobody"):
        registry.build("extractor", "trained:run=nobody").spec()


def test_a_decoder_learns_to_reconstruct(machine):
    recipe = Vae("digits", 32, 320, 0, [*SMALL, "batch=32"])
    recipe.prepare(machine)
    first = recipe.evaluate(final=False)["mse"]
    train(recipe, Schedule(images=320), RunFolder("learns"), machine)
    assert recipe.evaluate(final=False)["mse"] < 0.8 * first
    assert isinstance(recipe.networks["decoder"], nn.Module)


def test_baselines_train_from_the_command_line():
    from typer.testing import CliRunner

    from ghbench.cli.main import app

    command = "train baseline vae --data digits --size 32 --images 16 --run mine --no-compile --precision 32-true"
    done = CliRunner().invoke(app, [*command.split(), "-o", "width=0.125", "-o", "batch=8"])
    assert done.exit_code == 0, done.output
    with pytest.raises(ProtocolError, match="learned from digits"):
        ghbench.run(extractor="trained:run=mine", task="knn:dataset=digits", limit=40)
