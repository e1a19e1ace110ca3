"""The extractor: the contract, features in the generator's own units, and decoding."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_encoders import GENERATOR, RECORD, save_tiny_encoder

from ghbench import registry
from ghbench.data.imagefolder import ImageFolder
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.extraction import ExtractionOptions, extract_features
from ghbench.generators.native import save_generator
from ghbench.generators.stylegan2 import StyleGAN2
from ghbench.ghfeat import codec
from ghbench.ghfeat.extractor import Ghfeat
from ghbench.ghfeat.files import shipped
from ghbench.ghfeat.files.weights import load_encoder
from ghbench.ghfeat.network.decoding import decode_codes
from ghbench.levels import select_levels
from ghbench.store import FeatureKey, FeatureStore
from ghbench.testing import check_extractor
from ghbench.testing.images import pictures

IMAGES = pictures((32, 32), count=5)


@pytest.mark.parametrize("space", [None, "w", "w_plus"])
def test_the_contract_is_kept(tmp_path, space):
    path = save_tiny_encoder(tmp_path / "e.safetensors", space)
    spec = check_extractor(registry.build("extractor", f"ghfeat:weights={path}"))
    assert (spec.training, spec.licence, spec.similarity) == (RECORD, "Apache-2.0", "cosine")
    assert spec.preprocessing.size == (32, 32)


def test_the_spec_needs_no_torch(encoder_file):
    code = f"""
import sys
from ghbench import registry
print(len(registry.build("extractor", "ghfeat:weights={encoder_file}").spec().levels), "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["11", "False"]


def test_features_are_codes_in_standard_deviations_from_the_generators_mean(encoder_file):
    features = Ghfeat(str(encoder_file)).extract(IMAGES)
    encoder = load_encoder(encoder_file).encoder
    with torch.no_grad():
        codes = encoder(torch.from_numpy(IMAGES).float() / 127.5 - 1)
    for name, code in codes.items():
        expected = (code - encoder.mean(name)) / encoder.deviation(name)
        np.testing.assert_allclose(features[name], expected.numpy(), atol=1e-4)


def test_an_encoder_without_statistics_takes_those_of_its_generator(tmp_path):
    path = save_tiny_encoder(tmp_path / "e.safetensors", statistics=False)
    extractor = Ghfeat(str(path))
    assert extractor.spec().centred
    encoder = load_encoder(path).encoder
    with torch.no_grad():
        codes = encoder(torch.from_numpy(IMAGES).float() / 127.5 - 1)
    measured = extractor.codec.statistics["r8.conv"]
    expected = (codes["r8.conv"] - measured.mean) / measured.deviation
    np.testing.assert_allclose(extractor.extract(IMAGES)["r8.conv"], expected.numpy(), atol=1e-4)


def test_features_are_not_centred_without_a_generator(tmp_path):
    path = save_tiny_encoder(tmp_path / "e.safetensors", statistics=False, generator="")
    extractor = Ghfeat(str(path))
    assert not extractor.spec().centred
    extractor.extract(IMAGES)
    with pytest.raises(MissingError, match=r"e\.safetensors"):
        extractor.decode(extractor.extract(IMAGES))
    named = Ghfeat(str(path), generator="tiny")
    assert named.decode(named.extract(IMAGES)).shape == IMAGES.shape


def test_the_papers_numbers_choose_levels(encoder_file):
    spec = Ghfeat(str(encoder_file)).spec()
    assert select_levels(spec, "7") == ("r4.rgb", "r8.up")
    assert select_levels(spec, "r16-r32") == ("r16.up", "r16.conv", "r16.rgb", "r32.up", "r32.conv")


def test_stored_features_decode_to_the_images_of_their_codes(encoder_file, tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "images").mkdir()
    for row, image in enumerate(IMAGES):
        Image.fromarray(image.transpose(1, 2, 0)).save(tmp_path / "images" / f"{row}.png")
    dataset = ImageFolder(tmp_path / "images")
    extractor = Ghfeat(str(encoder_file))
    spec = extractor.spec()
    key = FeatureKey("ghfeat", "1", "", spec.weights_digest, {}, {}, "plain", spec.backend, "float32", "d", "c", 1)
    stored = FeatureStore(tmp_path / "store").open(key, dataset.ids)
    options = ExtractionOptions(workers=0, device="cpu")
    assert extract_features(extractor, spec, dataset, stored, spec.default_levels, "none", options) == len(IMAGES)
    drawn = extractor.decode({name: stored.read(name) for name in spec.default_levels})
    own = extractor.codec
    assert np.abs(drawn.astype(int) - own.decode(own.encode(IMAGES))).max() <= 1
    assert drawn.std() > 5


def test_decoding_fills_levels_that_are_left_out_with_the_mean(encoder_file):
    extractor = Ghfeat(str(encoder_file))
    features = extractor.extract(IMAGES)
    kept = {name: values if name == "r8.conv" else np.zeros_like(values) for name, values in features.items()}
    np.testing.assert_array_equal(extractor.decode({"r8.conv": features["r8.conv"]}), extractor.decode(kept))


@pytest.mark.parametrize(
    ("features", "named"),
    [
        ({}, "none"),
        ({"r8.conv": np.zeros((2, 3))}, r"r8\.conv"),
        ({"r99": np.zeros((2, 16))}, "r99"),
        ({"r8.conv": np.zeros((2, 16)), "r16.conv": np.zeros((3, 16))}, r"r8\.conv, r16\.conv"),
    ],
)
def test_features_that_do_not_fit_the_encoder_are_refused(encoder_file, features, named):
    with pytest.raises(DataError, match=named):
        Ghfeat(str(encoder_file)).decode(features)


def test_other_generators_are_refused(encoder_file, tmp_path):
    features = {"r8.conv": np.zeros((1, 16), np.float32)}
    with pytest.raises(DataError, match=GENERATOR[:16]):
        Ghfeat(str(encoder_file), generator="tiny:seed=1").decode(features)
    save_generator(tmp_path / "g.safetensors", StyleGAN2({4: 16, 8: 16, 16: 16}, z_dim=16, w_dim=16), licence="")
    with pytest.raises(DataError, match=r"g\.safetensors"):
        Ghfeat(str(encoder_file), generator=str(tmp_path / "g.safetensors")).decode(features)


def test_missing_weights_come_with_the_command_that_trains_them(monkeypatch, tmp_path):
    monkeypatch.setattr("ghbench.generators.shipped_weights.shipped_file", lambda name: tmp_path / name)
    for name, folder in shipped.SHIPPED.items():
        with pytest.raises(MissingError, match=folder) as raised:
            Ghfeat(name).spec()
        assert raised.value.fix.endswith("make train-ghfeat")
    with pytest.raises(MissingError, match="absent"):
        Ghfeat("absent.safetensors").spec()
    with pytest.raises(UsageError) as raised:
        Ghfeat("faces").spec()
    assert "faces128, faces64, fashion32, mnist32" in raised.value.fix


@pytest.mark.parametrize(
    ("generator", "align"),
    [("mobile-stylegan-ffhq:size=128", "ffhq"), ("stylegan1-fashion32", "none"), ("./net.pkl", "none"), ("", "none")],
)
def test_only_faces_are_aligned(tmp_path, generator, align):
    path = save_tiny_encoder(tmp_path / "e.safetensors", generator=generator)
    assert Ghfeat(str(path)).spec().preprocessing.align == align


def test_networks_see_the_batch_that_they_are_given(encoder_file, monkeypatch):
    made, sizes = Ghfeat(str(encoder_file)).codec, []

    def decode_and_count(generator, layout, codes):
        sizes.append(len(codes["r8.conv"]))
        return decode_codes(generator, layout, codes)

    made.encoder.trunk.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    monkeypatch.setattr(codec, "decode_codes", decode_and_count)
    images = np.tile(IMAGES, (8, 1, 1, 1))
    assert len(made.features(images)["r8.conv"]) == 40
    assert len(made.decode(made.encode(images))) == 40
    assert sizes == [40, 40, 40]


def test_features_are_decoded_on_the_device_of_the_extractor(encoder_file, monkeypatch):
    extractor, devices = Ghfeat(str(encoder_file)), set()

    def record_devices(generator, layout, codes):
        devices.update(tensor.device.type for tensor in (generator.w_mean, *codes.values()))
        return torch.zeros(1, 3, 32, 32)

    monkeypatch.setattr(codec, "decode_codes", record_devices)
    extractor.to("meta")
    extractor.decode({"r8.conv": np.zeros((1, 16), np.float32)})
    assert devices == {"meta"}
