"""Our own files of generators: they build the same network again, and nothing else."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from ghbench import checkpoints
from ghbench.errors import DataError
from ghbench.generators.native import load_native, rebuild, save_generator
from ghbench.generators.stylegan1 import StyleGAN1
from ghbench.generators.stylegan1_discriminator import StyleGAN1Discriminator
from ghbench.generators.stylegan2 import StyleGAN2
from ghbench.generators.stylegan2_discriminator import StyleGAN2Discriminator
from ghbench.generators.tiny import tiny_generator

TABLE = {4: 8, 8: 6}
PAIRS = {
    "stylegan2": lambda: (StyleGAN2(TABLE, z_dim=5, w_dim=7, labels=3), StyleGAN2Discriminator(TABLE, labels=3)),
    "residual": lambda: (
        StyleGAN2(TABLE, z_dim=5, w_dim=7, architecture="residual", conv_clamp=2.0, mapping_layers=2, colours=1),
        StyleGAN2Discriminator(TABLE, architecture="skip", conv_clamp=3.0, colours=1, group=2),
    ),
    "stylegan1": lambda: (
        StyleGAN1(TABLE, z_dim=5, w_dim=7, mapping_layers=3, mapping_width=9, fused_from=8),
        StyleGAN1Discriminator(TABLE, group=2),
    ),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("kind", PAIRS)
def test_a_saved_pair_is_built_again_as_it_was(path, kind):
    torch.manual_seed(1)
    generator, discriminator = (module.eval() for module in PAIRS[kind]())
    save_generator(path, generator, discriminator=discriminator, licence="Apache-2.0", extra={"images": 5})
    again = load_native(path)
    z, labels = torch.randn(2, 5), torch.eye(3)[:2] if generator.labels else None
    images = generator(z, labels)
    assert torch.equal(again(z, labels), images)
    assert again.configuration() == generator.configuration()
    assert not again.training
    assert not any(parameter.requires_grad for parameter in again.parameters())
    arguments = () if labels is None else (labels,)
    judge = rebuild(checkpoints.read(path), "discriminator")
    assert torch.equal(judge(images, *arguments), discriminator(images, *arguments))
    assert judge.configuration() == discriminator.configuration()


def test_the_file_says_licence_origin_and_what_else_is_known(path):
    save_generator(path, tiny_generator(), licence="Apache-2.0", source="a seed", extra={"images": 5})
    config = checkpoints.read(path).config
    assert config["licence"] == "Apache-2.0"
    assert config["config"] == {"made": "a seed", "extra": {"images": 5}}


def test_half_precision_is_read_as_float32(path):
    save_generator(path, tiny_generator().half(), licence="")
    assert {parameter.dtype for parameter in load_native(path).parameters()} == {torch.float32}


def test_a_network_of_another_class_is_not_saved(path):
    with pytest.raises(ValueError, match="Linear"):
        save_generator(path, torch.nn.Linear(2, 2), licence="")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class": "os.system"}, "StyleGAN2"),
        ({"class": None}, "StyleGAN2"),
        ({"arguments": {"command": "x"}}, "command"),
        ({"arguments": {"channels": [[4, 10**9]]}}, "sizes"),
        ({"arguments": {"channels": [[4, 8], [16, 8]]}}, "without a gap"),
        ({"arguments": {"channels": "x"}}, "generator cannot be built"),
        ({"arguments": {"channels": [[4, 16], [8, 16]]}}, "fit"),
    ],
)
def test_what_a_file_may_ask_for_is_checked(path, change, message):
    save_generator(path, tiny_generator(), licence="")
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["ghbench"])
    about["architecture"]["generator"] |= change
    save_file(load_file(path), path, metadata={"ghbench": json.dumps(about)})
    with pytest.raises(DataError, match=message):
        load_native(path)


def test_a_file_without_a_generator_is_refused(path):
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(DataError, match="no generator"):
        load_native(path)
