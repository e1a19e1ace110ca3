"""Shipped encoders: small files that load, reconstruct unseen images, and say how they were trained."""

import numpy as np
import pytest
import torch

from ghbench.generators.loading import generator_plugin
from ghbench.generators.pictures import pictures_of_seeds
from ghbench.generators.shipped_weights import shipped_file
from ghbench.ghfeat.codec import Codec
from ghbench.ghfeat.extractor import Ghfeat
from ghbench.ghfeat.files.description import describe_encoder
from ghbench.ghfeat.files.shipped import SHIPPED, weights_file

UNSEEN = range(1_000_000, 1_000_012)
SMALL = ("fashion32", "mnist32")


@pytest.mark.parametrize("name", SHIPPED)
def test_files_are_small_and_name_their_generator(name):
    path = weights_file(name)
    about = describe_encoder(path)
    generator = generator_plugin(about.generator).spec()
    assert path.stat().st_size < 32e6
    assert about.generator_digest == generator.weights_digest
    assert about.record.networks[0] == generator.weights_digest
    assert {seen.partition("#")[0] for seen in generator.training.datasets} <= set(about.record.datasets)
    assert about.standardised
    assert about.licence == generator.licence
    card = (path.parent / "card.md").read_text()
    assert f"| Licence | {generator.licence} |" in card
    assert f"`{about.about['history']['command']}`" in card
    assert "mse.psi1.0" in card


@pytest.mark.parametrize("name", SMALL)
def test_unseen_images_and_their_codes_are_recovered(name):
    codec = Codec.load(name)
    assert Ghfeat(name).spec().parameters == sum(weight.numel() for weight in codec.encoder.parameters())
    generator = codec.generator
    images = pictures_of_seeds(generator, UNSEEN, psi=0.7).transpose(0, 3, 1, 2)
    made = codec.decode(codec.encode(images))
    error = np.square((made.astype(float) - images) / 127.5).mean()
    spread = np.square((images - images.mean(axis=0)) / 127.5).mean()
    assert error < spread / 8
    found = codec.features(images)
    true = codec.standardise(codec.layout.codes(generator, _codes(generator)))
    for level, code in found.items():
        assert (code - true[level]).square().sum() < 0.8 * true[level].square().sum(), level


def test_the_digits_encoder_was_trained_on_the_training_rows_only():
    data = describe_encoder(shipped_file("ghfeat-mnist32")).about["data"]
    assert (data["dataset"], data["split"], data["images"]) == ("mnist-10k", "train", 8_000)


def test_the_default_extractor_describes_itself():
    spec = Ghfeat().spec()
    assert spec.preprocessing.size == (128, 128)
    assert spec.preprocessing.align == "ffhq"
    assert sum(level.dim for level in spec.levels) == 5_120
    assert spec.training.domain == "in-generator"


def _codes(generator):
    from ghbench.generators.rendering import seeded_z

    with torch.no_grad():
        return generator.mapping(seeded_z(UNSEEN, generator.z_dim), 0.7)
