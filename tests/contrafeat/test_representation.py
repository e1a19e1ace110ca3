"""Representations from pairs: the author's numbers, what pairs are, and a training that resumes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from ghbench import registry
from ghbench.cli.main import app
from ghbench.contrafeat.representation.extractor import representation_file
from ghbench.contrafeat.representation.files import build_decoder, describe_representation
from ghbench.contrafeat.representation.losses import fused, reconstruction
from ghbench.contrafeat.representation.network import (
    RepresentationConfig,
    RepresentationDecoder,
    RepresentationEncoder,
    shuffled_numbers,
)
from ghbench.contrafeat.representation.recipe import RepresentationRecipe
from ghbench.data.sprite_pairs import SpritePairs
from ghbench.data.sprites import FACTORS
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.testing import check_extractor
from ghbench.training.divergence import normal_divergence

WRONG_TRUNK = {"codes": 3, "colours": 3, "encoder": "ghfeat", "width": "1"}


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))


def test_posteriors_of_a_pair_are_fused_as_the_author_does():
    means = torch.tensor([[1.0, 2.0, 3.0], [3.0, 0.0, 5.0]])
    logs = torch.log(torch.tensor([[1.0, 1.0, 1.0], [4.0, 4.0, 4.0]]))
    joined = fused(means, logs, torch.tensor([1]))
    two, four = np.log(2), np.log(4)
    np.testing.assert_allclose(joined[0], [[2, 2, 4], [2, 0, 4]], atol=1e-6)
    np.testing.assert_allclose(joined[1], [[two, 0, two], [two, four, two]], atol=1e-6)
    np.testing.assert_allclose(normal_divergence(*joined), [12.306853, 11.113706], atol=1e-5)


def test_the_loss_sums_over_an_image():
    logits, images = torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)
    np.testing.assert_allclose(reconstruction(logits, images, "squares"), [12.0, 12.0])
    np.testing.assert_allclose(reconstruction(logits, images, "bernoulli"), [48 * np.log(2)] * 2, rtol=1e-6)


def test_networks_have_the_papers_shapes():
    config = RepresentationConfig(7)
    means, logs = RepresentationEncoder(config)(torch.zeros(2, 3, 64, 64))
    assert means.shape == logs.shape == (2, 7)
    assert RepresentationDecoder(config)(means).shape == (2, 3, 64, 64)
    assert RepresentationConfig.from_json(config.to_json()) == config
    for wrong in (None, {"codes": 3}, {"codes": 0, "colours": 3}, {"codes": 3, "colours": 2}, WRONG_TRUNK):
        with pytest.raises(DataError):
            RepresentationConfig.from_json(wrong)


def test_shuffled_codes_keep_each_numbers_values():
    codes = torch.arange(40.0).reshape(10, 4)
    found = shuffled_numbers(codes)
    assert torch.equal(found.sort(dim=0).values, codes)
    assert not torch.equal(found, codes)


def test_sprites_of_a_pair_differ_in_the_factor_that_is_named():
    pairs = SpritePairs(200)
    factors, changed = (pairs.targets[name].values for name in ("factors", "changed"))
    differ = factors[::2] != factors[1::2]
    assert (differ.sum(axis=1) == 1).all()
    assert np.array_equal(differ.argmax(axis=1), changed[::2])
    assert np.array_equal(changed[::2], changed[1::2])
    assert set(changed) == set(range(len(FACTORS)))
    assert (factors < np.array(list(FACTORS.values()))).all()
    with pytest.raises(UsageError):
        SpritePairs(0)


def test_generated_pairs_lie_on_both_sides_of_their_code():
    spec = "generated-pairs:navigator=ganspace,navigator.generator=tiny,navigator.directions=5,count=20,scale=2"
    pairs = registry.build("dataset", spec)
    assert pairs.ids[:2] == ("seed-0000000000/minus", "seed-0000000000/plus")
    changed = pairs.targets["changed"].values
    assert set(changed) == set(range(5))
    images = pairs.pixels()
    assert images.shape == (40, 32, 32, 3)
    assert np.array_equal(images[3], pairs.image(3))
    from ghbench.generators.rendering import seeded_z, to_uint8
    from ghbench.generators.tiny import tiny_generator

    generator = tiny_generator()
    moves = registry.build("extractor", "ganspace:generator=tiny,directions=5").directions()
    with torch.no_grad():
        ws = generator.mapping(seeded_z([1], 16), 1.0) + 2 * torch.from_numpy(moves[changed[2]])
        expected = to_uint8(generator.synthesis(ws))[0].transpose(1, 2, 0)
    assert np.abs(images[3].astype(int) - expected).max() <= 1
    for wrong in ("generated-pairs:navigator=pixels", f"{spec},scale=-1"):
        with pytest.raises(UsageError):
            registry.build("dataset", wrong)


def trained(*arguments, run="rep"):
    command = ["train", "representation", "--run", run, "--no-compile", "--precision", "32-true", *arguments]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output


def test_a_code_learns_from_pairs_and_is_an_extractor():
    trained("--data", "sprite-pairs:count=32", "--images", "256", "-o", "codes=7", "-o", "batch=16")
    extractor = registry.build("extractor", "contrafeat-codes:weights=rep")
    spec = extractor.spec()
    assert (spec.name, spec.dim("codes"), spec.training.supervision) == ("contrafeat-codes", 7, "pairs")
    check_extractor(extractor)
    described = describe_representation(representation_file("rep"))
    assert build_decoder(described)(torch.zeros(2, 7)).shape == (2, 3, 64, 64)
    first = extractor.extract(np.zeros((2, 3, 64, 64), np.uint8))["codes"]
    trained("--data", "sprite-pairs:count=32", "--images", "256", "-o", "codes=7", "-o", "batch=16", run="again")
    again = registry.build("extractor", "contrafeat-codes:weights=again")
    np.testing.assert_array_equal(again.extract(np.zeros((2, 3, 64, 64), np.uint8))["codes"], first)


def test_a_navigator_makes_the_pairs():
    pairs = ["--navigator", "ganspace:generator=tiny,directions=3", "--pairs", "32"]
    trained(*pairs, "--images", "64", "-o", "codes=3", "-o", "batch=8", "--until", "32")
    trained(*pairs, "--images", "64", "-o", "codes=3", "-o", "batch=8")
    spec = registry.build("extractor", "contrafeat-codes:weights=rep").spec()
    assert spec.training.domain == "in-generator"
    assert len(spec.training.networks) == 2


def test_single_images_make_a_beta_vae_and_with_gamma_a_factor_vae():
    for gamma, name in ((0, "beta-vae"), (5, "factor-vae")):
        options = ["-o", f"gamma={gamma}", "-o", "beta=4", "-o", "batch=8"]
        trained("--data", "sprites:train=24,test=0", "--images", "64", *options, run=name)
        assert registry.build("extractor", f"contrafeat-codes:weights={name}").spec().name == name


def test_each_kind_of_autoencoder_has_a_name_of_its_own():
    arguments = ["--data", "sprites:train=24,test=0", "--images", "32", "-o", "codes=3", "-o", "batch=8"]
    trained(*arguments, run="beta-vae")
    module = "ghbench.contrafeat.representation.extractor"
    extractor = registry.build("extractor", f"{module}:BetaVae,weights=beta-vae")
    assert (extractor.spec().name, extractor.spec().dim("codes")) == ("beta-vae", 3)
    with pytest.raises(DataError, match="made by 'beta-vae'; expected factor-vae"):
        registry.build("extractor", f"{module}:FactorVae,weights=beta-vae").spec()
    with pytest.raises(MissingError, match="no representation nowhere") as error:
        registry.build("extractor", f"{module}:FactorVae,weights=nowhere").spec()
    assert "gamma=6 --run nowhere" in str(error.value.fix)
    with pytest.raises(MissingError, match="no representation contrafeat-codes"):
        registry.build("extractor", "contrafeat-codes").spec()


@pytest.mark.parametrize("system", ["beta-vae", "factor-vae", "contrafeat-codes:weights=pair-vae-sprites"])
def test_codes_of_the_shipped_autoencoders_follow_place(system):
    sprites = registry.build("dataset", "sprites:train=0,test=400")
    extractor = registry.build("extractor", system)
    spec = extractor.spec()
    assert spec.name == system.partition(":")[0]
    assert spec.licence == "Apache-2.0"
    codes = extractor.extract(sprites.pixels().transpose(0, 3, 1, 2))["codes"]
    target = sprites.targets["factors"]
    factors = dict(zip(target.names, np.asarray(target.values, np.float64).T, strict=True))
    for name in ("x", "y"):
        design = np.column_stack([codes, np.ones(len(codes))])
        left = factors[name] - design @ np.linalg.lstsq(design, factors[name], rcond=None)[0]
        assert left.var() < 0.5 * factors[name].var(), name


def test_signals_keep_their_scale_through_layers_that_nobody_trained():
    torch.manual_seed(0)
    config = RepresentationConfig(7)
    with torch.no_grad():
        features = RepresentationEncoder(config).features(torch.randn(64, 3, 64, 64))
        logits = RepresentationDecoder(config)(torch.randn(64, 7))
    for signal in (features, logits):
        assert 0.3 < float(signal.square().mean().sqrt()) < 3


def test_ghfeats_encoder_predicts_the_posterior_of_pairs():
    options = ["-o", "codes=7", "-o", "batch=8", "-o", "encoder=ghfeat", "-o", "width=0.125"]
    trained("--data", "sprite-pairs:count=16", "--images", "48", *options, run="trunk")
    extractor = registry.build("extractor", "contrafeat-codes:weights=trunk")
    assert extractor.spec().dim("codes") == 7
    check_extractor(extractor)
    config = extractor._network.config
    assert RepresentationConfig.from_json(config.to_json()) == config
    plain = registry.build("extractor", "contrafeat-codes:weights=trunk")
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 64, 64), dtype=np.uint8)
    # In evaluation a code does not depend on the other images of its batch.
    np.testing.assert_allclose(
        plain.extract(images)["codes"][:1], extractor.extract(images[:1])["codes"], rtol=1e-4, atol=1e-5
    )


def test_what_cannot_be_trained():
    with pytest.raises(UsageError, match="differ in 7 ways"):
        RepresentationRecipe("sprite-pairs:count=40", ["codes=5"])
    with pytest.raises(UsageError, match="single images"):
        RepresentationRecipe("sprite-pairs:count=40", ["gamma=1"])
    for wrong in ("beta=-1", "codes=0", "codes=5000", "width=99", "rate=nan", "likelihood=poisson", "encoder=resnet"):
        with pytest.raises(UsageError):
            RepresentationRecipe("sprites:train=8,test=0", [wrong])
    with pytest.raises(MissingError, match="no representation nobody"):
        registry.build("extractor", "contrafeat-codes:weights=nobody").spec()
    given = ["train", "representation", "--run", "x"]
    assert CliRunner().invoke(app, given).exit_code != 0
    assert CliRunner().invoke(app, [*given, "--data", "sprites", "--pairs", "3"]).exit_code != 0
