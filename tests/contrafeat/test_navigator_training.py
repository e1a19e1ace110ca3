"""A tiny training from end to end, what it writes, and the sensors it may look through."""

import math

import numpy as np
import pytest
import torch

from ghbench.contrafeat.files import build_navigator, describe_navigator
from ghbench.contrafeat.training.job import contrafeat_recipe
from ghbench.contrafeat.training.losses import diversity
from ghbench.contrafeat.training.options import ContrafeatOptions
from ghbench.contrafeat.training.sensors import sensor_of
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.generators.first_party import TinyRandom
from ghbench.training.loop import Schedule, train
from ghbench.training.machine import Machine
from ghbench.training.run_folder import RunFolder

SMALL = ["sensor=pixels", "enlarged=1", "components=8", "batch=4"]
VARIANTS = ("binary", "prototype", "latentclr", "recognition")


@pytest.fixture(scope="module")
def machine():
    return Machine(accelerator="cpu", devices=1, precision="32-true", compiled=False)


def recipe(variant, *more):
    return contrafeat_recipe("tiny", [*SMALL, *more], variant=variant, directions=5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_writes_a_navigator_that_comes_back(variant, machine, tmp_path):
    made = recipe(variant)
    before = made.navigator(torch.zeros(1, *made.navigator.attention(torch.zeros(1, 8, 16)).shape[2:], 16))
    outcome = train(
        made, Schedule(images=made.batch * 6), RunFolder(str(tmp_path / "run")), machine, command="ghbench x"
    )
    assert outcome.finished
    assert all(math.isfinite(value) for value in outcome.metrics.values())
    described = describe_navigator(tmp_path / "run" / "model.safetensors")
    assert described.about["generator"] == "tiny"
    assert described.record.networks == (TinyRandom().spec().weights_digest,)
    ws = torch.randn(2, made.navigator.config.rows, 16)
    with torch.no_grad():
        torch.testing.assert_close(build_navigator(described)(ws), made.navigator(ws))
        assert not torch.allclose(made.navigator(torch.zeros_like(ws)[:1]), before)
    assert ("prototypes/images" in described.checkpoint.tensors) == (variant == "prototype")
    assert "development program" in (tmp_path / "run" / "card.md").read_text()
    assert made.pictures().dtype == np.uint8


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_interrupted_run_ends_as_one_that_was_not(variant, machine, tmp_path):
    found = []
    for name in ("whole", "parts"):
        folder, steps = RunFolder(str(tmp_path / name)), iter(range(100))
        if name == "parts":
            first = train(
                recipe(variant), Schedule(images=80), folder, machine, stop=lambda steps=steps: next(steps) == 2
            )
            assert not first.finished
        train(recipe(variant), Schedule(images=80), folder, machine)
        found.append(describe_navigator(folder.path / "model.safetensors").checkpoint.tensors)
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_lowers_what_it_should(variant, machine, tmp_path):
    made = recipe(variant, "diversity=1")
    ws = torch.zeros(1, made.navigator.config.rows, 16)
    before = float(diversity(made.navigator(ws)).detach())
    train(made, Schedule(images=made.batch * 40), RunFolder(str(tmp_path / "run")), machine)
    assert float(diversity(made.navigator(ws)).detach()) < 0.7 * before


@pytest.mark.parametrize(
    "more", [["attention=fixedCM"], ["attention=ada1w", "source=adaALLwE"], ["source=sefa"], ["source=pca", "copies=5"],
             ["source=fixedES", "blocks=2x3+3x4"], ["joined=true", "on_self=true"], ["likeness=0.1", "limited=false"]],
)  # fmt: skip
def test_every_kind_of_navigator_trains(more, machine, tmp_path):
    variant = "prototype" if "likeness=0.1" in more else "binary"
    outcome = train(recipe(variant, *more), Schedule(images=30), RunFolder(str(tmp_path / "run")), machine)
    assert outcome.finished


@pytest.mark.parametrize("wrong", [
    "batch=3", "rate", "rate=-1", "rate=nan", "scale=inf", "blocks=2x", "blocks=10x0+20x4", "attended=99",
    "sensor=nobody", "sensor=alexnet", "likeness=0.5", "copies=2", "temperature=2",
])  # fmt: skip
def test_options_that_cannot_be(wrong):
    with pytest.raises(UsageError):
        recipe("binary", *(["source=fixedES"] if "blocks" in wrong else []), wrong)


def test_more_given_directions_than_w_has_numbers_are_refused():
    with pytest.raises(UsageError, match="in w of 16"):
        ContrafeatOptions(source="pca", directions=30).config(7, 16)


def test_pairs_are_for_the_binary_variant_alone(machine):
    odd = recipe("prototype", "batch=3")
    odd.prepare(machine)
    assert (odd.options.batch, odd.options.split) == (3, 1)
    assert recipe("binary", "batch=4").options.split == 2


def test_a_file_that_is_no_navigator(tmp_path):
    from tiny_encoders import save_tiny_encoder

    with pytest.raises(DataError, match="no navigator"):
        describe_navigator(save_tiny_encoder(tmp_path / "encoder.safetensors"))
    with pytest.raises(MissingError):
        describe_navigator(tmp_path / "nothing.safetensors")


def test_sensors_give_maps_with_gradients_and_grey_images_are_replicated():
    images = torch.randn(2, 3, 32, 32, requires_grad=True)
    for name, sides in (
        ("pixels", [32]), ("discriminator:generator=stylegan2-fashion32", [16, 8, 4]),
        ("discriminator:generator=stylegan1-fashion32", [16, 8, 4]),
    ):  # fmt: skip
        sensor, digest = sensor_of(name)
        maps = sensor(images)
        assert [one.shape[-1] for one in maps] == sides
        assert bool(digest) == (name != "pixels")
        (gradient,) = torch.autograd.grad(sum(one.square().sum() for one in maps), images)
        assert float(gradient.abs().sum()) > 0
    sensor, _ = sensor_of("pixels", enlarged=2)
    assert sensor(torch.zeros(1, 1, 8, 8))[0].shape == (1, 3, 16, 16)


@pytest.mark.parametrize(
    ("name", "widths"), [("alexnet", [64, 192, 384, 256, 256]), ("vgg16", [64, 128, 256, 512, 512])]
)
def test_torchvisions_networks_are_cut_after_their_rectifiers(name, widths, tmp_path):
    from ghbench_baselines.vision_models import import_torchvision

    torchvision = import_torchvision()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = getattr(torchvision.models, name)(weights=None)
    # The classifier, most of the file, is not needed.
    kept = {key: value for key, value in network.state_dict().items() if key.startswith("features.")}
    torch.save(kept, tmp_path / "net.pth")
    sensor, _ = sensor_of(f"{name}:weights={tmp_path / 'net.pth'}")
    images = torch.randn(1, 3, 64, 64)
    maps = sensor(images)
    assert [one.shape[1] for one in maps] == widths
    with torch.no_grad():
        torch.testing.assert_close(maps[-1], network.features[: 12 if name == "alexnet" else 30](images))
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "wrong.pth")
    with pytest.raises(DataError, match="other weights"):
        sensor_of(f"{name}:weights={tmp_path / 'wrong.pth'}")
