"""Models of transformers give what their own processor and network give, and no folder can make ghbench run code."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from ghbench import registry
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.imaging import prepare

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", reason="needs the extra hf")

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
SMALL |= {"image_size": 32, "patch_size": 8}
SQUARE = {"height": 32, "width": 32}


@pytest.fixture(scope="module")
def transformers():
    from ghbench_baselines.vision_models import import_torchvision

    import_torchvision()
    import transformers

    return transformers


@pytest.fixture(scope="module")
def photographs():
    from skimage import data

    return [data.astronaut(), data.chelsea(), data.coffee()[:, :333]]


def vit(library):
    network = library.ViTForImageClassification(library.ViTConfig(**SMALL))
    return network, library.ViTImageProcessor(size=SQUARE), network.vit


def dinov2(library):
    network = library.Dinov2Model(library.Dinov2Config(**SMALL | {"patch_size": 14, "image_size": 56}))
    crop = {"height": 28, "width": 28}
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    processor = library.BitImageProcessor(size={"shortest_edge": 37}, crop_size=crop, image_mean=mean, image_std=std)
    return network, processor, network


def resnet(library):
    config = library.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    network = library.ResNetModel(config)
    return network, library.ConvNextImageProcessor(size={"shortest_edge": 64}, crop_pct=0.875), network


def clip(library):
    text = {**SMALL, "vocab_size": 50, "eos_token_id": 1, "bos_token_id": 0, "pad_token_id": 1}
    text = {key: value for key, value in text.items() if key not in {"image_size", "patch_size"}}
    network = library.CLIPModel(library.CLIPConfig(vision_config=SMALL, text_config=text, projection_dim=16))
    processor = library.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=SQUARE)
    return network, processor, network.get_image_features


def siglip(library):
    network = library.SiglipVisionModel(library.SiglipVisionConfig(**SMALL))
    return network, library.SiglipImageProcessor(size=SQUARE), network


def deit(library):
    network = library.DeiTModel(library.DeiTConfig(**SMALL))
    return network, library.DeiTImageProcessor(size={"height": 40, "width": 40}, crop_size=SQUARE), network


@pytest.fixture
def folder(tmp_path, transformers):
    def save(family):
        torch.manual_seed(1)
        network, processor, run = family(transformers)
        network.eval().save_pretrained(tmp_path)
        processor.save_pretrained(tmp_path)
        return tmp_path, processor, run

    return save


def features(spec, images):
    extractor = registry.build("extractor", spec)
    steps = extractor.spec().preprocessing
    return extractor.spec(), extractor.extract(np.stack([prepare(image, steps, "none").image for image in images]))


def cosines(a, b):
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize(
    ("family", "resize", "final"),
    [
        (vit, "squash-bilinear", "cls"),
        (dinov2, "shortest-37-bicubic-floor", "cls"),
        (resnet, "shortest-73-bicubic-floor", "pooled"),
        (clip, "shortest-32-bicubic-floor", "pooled"),
        (siglip, "squash-bicubic", "pooled"),
        (deit, "squash-40x40-bicubic-floor", "cls"),
    ],
)
def test_features_equal_the_librarys_own_pipeline(family, resize, final, folder, photographs):
    path, processor, run = folder(family)
    spec, found = features(f"hf:model={path}", photographs)
    with torch.inference_mode():
        pixels = [processor(Image.fromarray(image), return_tensors="pt")["pixel_values"] for image in photographs]
        output = run(pixel_values=torch.cat(pixels))
    expected = output.last_hidden_state[:, 0] if final == "cls" else output.pooler_output.flatten(1)
    assert spec.preprocessing.resize == resize
    assert spec.default_levels == (final,)
    assert list(found) == [level.name for level in spec.levels] == ["hidden0", "hidden1", "hidden2", final]
    assert cosines(found[final], expected.numpy()).min() > 0.9999


def test_pooling_is_of_what_its_name_says(folder, photographs):
    path, processor, run = folder(dinov2)
    pixels = processor(Image.fromarray(photographs[0]), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        patches = run(pixel_values=pixels).last_hidden_state[:, 1:].numpy()
    mean, found = features(f"hf:model={path},pool=mean", photographs[:1])
    assert cosines(found["mean"], patches.mean(axis=1)).min() > 0.9999
    gem, found = features(f"hf:model={path},pool=gem", photographs[:1])
    assert cosines(found["gem"], np.cbrt((patches.clip(1e-6) ** 3).mean(axis=1))).min() > 0.9999
    assert mean.weights_digest != gem.weights_digest


def test_a_class_token_that_is_not_there_is_refused(folder):
    path, *_ = folder(siglip)
    with pytest.raises(UsageError, match="no class token"):
        registry.build("extractor", f"hf:model={path},pool=cls").spec()


def test_the_digest_is_of_content_and_not_of_the_place(folder, tmp_path_factory):
    path, *_ = folder(vit)
    first = registry.build("extractor", f"hf:model={path}").spec()
    other = tmp_path_factory.mktemp("elsewhere") / path.name
    path.rename(other)
    assert registry.build("extractor", f"hf:model={other}").spec() == first
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 0.1}))
    assert registry.build("extractor", f"hf:model={other}").spec().weights_digest != first.weights_digest


def test_a_pickle_with_code_in_it_is_refused(folder):
    path, *_ = folder(vit)

    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(path / "was-run"),))

    (path / "model.safetensors").unlink()
    torch.save({"a": Payload()}, path / "pytorch_model.bin")
    with pytest.raises(DataError):
        registry.build("extractor", f"hf:model={path}").to("cpu")
    assert not (path / "was-run").exists()


@pytest.mark.parametrize("kind", ["vit", "something-new"])
def test_code_that_comes_with_a_model_is_never_run(kind, folder):
    path, *_ = folder(vit)
    (path / "evil.py").write_text(f"open({str(path / 'was-run')!r}, 'w')\nclass C: pass\n")
    config = json.loads((path / "config.json").read_text())
    mapped = {"AutoConfig": "evil.C", "AutoModel": "evil.C", "AutoImageProcessor": "evil.C"}
    (path / "config.json").write_text(json.dumps({**config, "model_type": kind, "auto_map": mapped}))
    extractor = registry.build("extractor", f"hf:model={path}")
    if kind == "vit":
        extractor.to("cpu")
    else:
        with pytest.raises(DataError, match="never runs"):
            extractor.spec()
    assert not (path / "was-run").exists()


def test_weights_that_lack_a_tensor_are_refused(folder):
    from safetensors.torch import load_file, save_file

    path, *_ = folder(dinov2)
    state = load_file(path / "model.safetensors")
    del state["encoder.layer.1.mlp.fc1.weight"]
    save_file(state, path / "model.safetensors")
    with pytest.raises(DataError, match=r"lack 1 tensors.*encoder.layer.1.mlp.fc1.weight"):
        registry.build("extractor", f"hf:model={path}").to("cpu")


@pytest.mark.parametrize("name", ["preprocessor_config.json", "config.json", "model.safetensors"])
def test_a_folder_without_one_of_its_files_says_which(name, folder):
    path, *_ = folder(vit)
    (path / name).unlink()
    with pytest.raises((MissingError, DataError), match=name.replace(".", r"\.")):
        registry.build("extractor", f"hf:model={path}").spec()


@pytest.mark.parametrize("variable", ["GHBENCH_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_a_model_that_is_not_here_is_missing_and_the_network_is_not_touched(variable, monkeypatch, tmp_path):
    import socket

    import huggingface_hub

    monkeypatch.delenv("GHBENCH_OFFLINE", raising=False)
    monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("touched the network"))
    with pytest.raises(MissingError, match=variable) as caught:
        registry.build("extractor", "hf:model=somebody/tiny").spec()
    assert "hf download somebody/tiny" in caught.value.fix


def test_without_the_library_the_extra_is_named(monkeypatch):
    import importlib.util
    import sys

    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingError) as caught:
        registry.build("extractor", "hf:model=somebody/tiny").spec()
    assert caught.value.fix == "pip install 'ghbench[hf]'"


def test_a_hub_that_does_not_answer_is_given_up_within_seconds(monkeypatch, tmp_path):
    import time

    import huggingface_hub
    import requests
    from ghbench_baselines import hub_files

    monkeypatch.delenv("GHBENCH_OFFLINE", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub_files, "_DEADLINE", 0.2)
    monkeypatch.setattr(requests, "head", lambda *_, **__: time.sleep(30))
    start = time.monotonic()
    with pytest.raises(MissingError, match="cannot be reached"):
        registry.build("extractor", "hf:model=somebody/tiny").spec()
    assert time.monotonic() - start < 10


def test_a_model_in_the_hubs_cache_is_used_offline_and_its_commit_is_recorded(folder, monkeypatch, tmp_path_factory):
    import huggingface_hub

    path, *_ = folder(vit)
    cache, commit = tmp_path_factory.mktemp("hub"), "0123456789abcdef0123456789abcdef01234567"
    snapshot = cache / "models--somebody--tiny" / "snapshots" / commit
    snapshot.parent.mkdir(parents=True)
    path.rename(snapshot)
    (cache / "models--somebody--tiny" / "refs").mkdir()
    (cache / "models--somebody--tiny" / "refs" / "main").write_text(commit)
    monkeypatch.setenv("GHBENCH_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    spec = registry.build("extractor", "hf:model=somebody/tiny").spec()
    assert spec.name == "hf-tiny"
    assert spec.citation.endswith(f"somebody/tiny/tree/{commit}")
    local = registry.build("extractor", f"hf:model={snapshot}").spec()
    assert local.weights_digest == spec.weights_digest
    with pytest.raises(MissingError):
        registry.build("extractor", "hf:model=somebody/tiny,revision=v2").spec()
