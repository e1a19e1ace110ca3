"""OpenCLIP's image towers give what its own transform and `encode_image` give."""

import numpy as np
import pytest
from PIL import Image

from ghbench import registry
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.imaging import prepare

torch = pytest.importorskip("torch")
TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 50, "width": 64, "heads": 1, "layers": 1},
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    from ghbench_baselines.vision_models import import_torchvision

    import_torchvision()
    library = pytest.importorskip("open_clip", reason="needs the extra open-clip")
    import json

    folder = tmp_path_factory.mktemp("configurations")
    (folder / "tiny-test.json").write_text(json.dumps(TINY))
    resnet = {**TINY, "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8}}
    (folder / "tiny-resnet.json").write_text(json.dumps(resnet))
    library.add_model_config(folder)
    return library


@pytest.fixture
def saved(library, tmp_path):
    from safetensors.torch import save_file

    def save(model):
        torch.manual_seed(1)
        network, _, transform = library.create_model_and_transforms(model)
        save_file(network.state_dict(), tmp_path / "weights.safetensors")
        return tmp_path / "weights.safetensors", network.eval(), transform

    return save


@pytest.fixture(scope="module")
def photographs():
    from skimage import data

    return [data.astronaut(), data.chelsea(), data.coffee()[:, :333]]


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        ("tiny-test", "block1 64, block2 64, pooled 16"),
        ("tiny-resnet", "stage1 8, stage2 32, stage3 64, stage4 128, stage5 256, pooled 16"),
    ],
)
def test_features_equal_the_librarys_own_pipeline(model, levels, saved, photographs):
    file, network, transform = saved(model)
    extractor = registry.build("extractor", f"open_clip:model={model},weights={file}")
    spec = extractor.spec()
    found = extractor.extract(np.stack([prepare(image, spec.preprocessing, "none").image for image in photographs]))
    with torch.inference_mode():
        batch = torch.stack([transform(Image.fromarray(image)) for image in photographs])
        expected = network.encode_image(batch).numpy()
    assert ", ".join(f"{level.name} {level.dim}" for level in spec.levels) == levels
    assert spec.default_levels == ("pooled",)
    assert list(found) == [level.name for level in spec.levels]
    np.testing.assert_allclose(found["pooled"], expected, rtol=1e-3, atol=1e-4)


def test_pooling_is_of_the_last_block(saved, photographs):
    file, network, transform = saved("tiny-test")
    with torch.inference_mode():
        batch = transform(Image.fromarray(photographs[0]))[None]
        tokens = network.visual.transformer(network.visual._embeds(batch))
    for how, expected in (("cls", tokens[:, 0]), ("mean", tokens[:, 1:].mean(dim=1))):
        extractor = registry.build("extractor", f"open_clip:model=tiny-test,weights={file},pool={how}")
        image = prepare(photographs[0], extractor.spec().preprocessing, "none").image[None]
        np.testing.assert_allclose(extractor.extract(image)[how], expected.numpy(), rtol=1e-3, atol=1e-4)


def test_published_weights_bring_their_preparation_and_are_looked_for_on_the_hub(library, monkeypatch, tmp_path):
    from ghbench_baselines import open_clip

    asked = []

    def fetch(repository, names, _extra):
        asked.append((repository, names))
        file = tmp_path / "0123" / names[0]
        file.parent.mkdir(exist_ok=True)
        file.touch()
        return file

    monkeypatch.setattr(open_clip, "fetch_first", fetch)
    spec = registry.build("extractor", "open_clip:model=ViT-B-16-SigLIP,weights=webli").spec()
    assert spec.preprocessing.resize == "squash-bicubic"
    assert "mean (0.5, 0.5, 0.5)" in spec.preprocessing.normalise
    assert spec.citation.endswith("/tree/0123")
    assert asked == [("timm/ViT-B-16-SigLIP", ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"))]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ("model=ViT-B-23,weights=openai", UsageError, "did you mean"),
        ("model=ViT-B-32,weights=best", UsageError, "laion2b_s34b_b79k"),
        ("model=ViT-B-32,weights=./nothing.safetensors", MissingError, r"nothing\.safetensors"),
        ("model=ViT-B-32,weights=openai,tag=openai", UsageError, "tag"),
    ],
)
def test_what_cannot_be_built_says_why(library, options, error, message):
    with pytest.raises(error, match=message):
        registry.build("extractor", f"open_clip:{options}").spec()


def test_a_file_of_another_network_is_refused(saved):
    file, *_ = saved("tiny-resnet")
    with pytest.raises(DataError, match="does not fit"):
        registry.build("extractor", f"open_clip:model=tiny-test,weights={file}").to("cpu")
