"""Backbones give exactly what their own libraries give, and their files are checked before they are trusted."""

import os

import numpy as np
import pytest
from PIL import Image

from ghbench import assets, registry
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.imaging import prepare
from ghbench.testing import pictures

torch = pytest.importorskip("torch")
needs_network = pytest.mark.skipif(os.environ.get("GHBENCH_OFFLINE") == "1", reason="GHBENCH_OFFLINE=1")


def normalised(images, mean, std):
    batch = torch.from_numpy(images).double() / 255
    return ((batch - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)).float()


@pytest.mark.network
@needs_network
def test_mobilenet_levels_equal_a_direct_forward_of_torchvision():
    from ghbench_baselines.vision_models import import_torchvision

    images = pictures((224, 224), count=2)
    net = import_torchvision().models.mobilenet_v2(weights=None).eval()
    file = assets.path("mobilenet-v2-imagenet1k-v1", "mobilenet_v2-b0353104.pth")
    net.load_state_dict(torch.load(file, weights_only=True))
    with torch.inference_mode():
        maps, expected = normalised(images, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), {}
        for number, layer in enumerate(net.features):
            maps = layer(maps)
            expected[number] = maps.mean(dim=(2, 3)).numpy()
    features = registry.build("extractor", "mobilenet-v2").extract(images)
    places = {"stage1": 1, "stage2": 3, "stage3": 6, "stage4": 13, "stage5": 17, "pooled": 18}
    for level, number in places.items():
        np.testing.assert_allclose(features[level], expected[number], rtol=1e-3, atol=1e-4, err_msg=level)


@pytest.mark.network
@needs_network
def test_efficientnet_equals_a_direct_forward_of_timm():
    from ghbench_baselines.vision_models import import_timm

    images = pictures((224, 224), count=2)
    net = import_timm().create_model("tf_efficientnet_lite0", pretrained=False).eval()
    file = assets.path("efficientnet-lite0-imagenet1k", "efficientnet-lite0-57934424.pth")
    stored = torch.load(file, weights_only=True)
    net.load_state_dict(dict(zip(net.state_dict(), stored.values(), strict=True)))
    with torch.inference_mode():
        batch = torch.from_numpy(images).float() / 127.5 - 1
        expected = net.global_pool(net.forward_features(batch)).flatten(1).numpy()
    features = registry.build("extractor", "efficientnet-lite0").extract(images)
    np.testing.assert_allclose(features["pooled"], expected, rtol=1e-3, atol=1e-4)


def test_the_random_trunk_is_he_initialised_by_numpy_and_never_changes():
    from ghbench_baselines.random_trunk import he_weights

    from ghbench.digests import digest_array

    drawn = he_weights({"b": (64, 32, 3, 3), "a": (2, 1, 1, 1)}, seed=0)
    assert drawn["b"].std() == pytest.approx(np.sqrt(2 / (32 * 9)), rel=0.02)
    # By sorted name from one stream: the weights of "a" are the first two draws of the generator.
    first = np.random.default_rng(0).standard_normal(2, dtype=np.float32) * np.float32(np.sqrt(2))
    np.testing.assert_array_equal(drawn["a"].ravel(), first)
    assert digest_array(drawn["a"])[:16] == "8e1eca5333d0b908"
    assert registry.build("extractor", "random-trunk").spec().weights_digest[:16] == "1a95ed45406560d7"


def test_position_loading_refuses_files_that_do_not_fit():
    from ghbench_baselines.weight_files import rename_by_position

    wanted = {"x": torch.zeros(2, 3), "y": torch.zeros(4)}
    assert list(rename_by_position({"p": torch.ones(2, 3), "q": torch.ones(4)}, wanted)) == ["x", "y"]
    with pytest.raises(DataError, match=r"1 tensors.* 2"):
        rename_by_position({"p": torch.ones(2, 3)}, wanted)
    with pytest.raises(DataError, match=r"q .*\(5,\).* y .*\(4,\)"):
        rename_by_position({"p": torch.ones(2, 3), "q": torch.ones(5)}, wanted)


@pytest.mark.parametrize(
    ("model", "levels", "first_and_last"),
    [
        ("resnet18", "stage1 64, stage2 64, stage3 128, stage4 256, pooled 512", ("relu", "fc")),
        ("swin_t", "stage1 96, stage2 192, stage3 384, pooled 768", ("features.1", "head")),
        (
            "vit_b_32",
            "block3 768, block6 768, block9 768, pooled 768",
            ("encoder.layers.encoder_layer_2", "heads.head"),
        ),
        ("squeezenet1_1", "stage1 64, stage2 128, stage3 256, pooled 512", ("features.1", "classifier")),
    ],
)
def test_stages_are_found_where_the_map_shrinks(model, levels, first_and_last):
    from ghbench_baselines.stages import discover_stages, skeleton
    from ghbench_baselines.vision_models import import_torchvision

    net = skeleton(lambda: import_torchvision().models.get_model(model, weights=None))
    found, taps = discover_stages(net, 224)
    assert ", ".join(f"{level.name} {level.dim}" for level in found) == levels
    places = [tap.module for tap in taps.values()]
    assert (places[0], places[-1]) == first_and_last


def test_a_weights_file_of_the_user_is_read_as_tensors_and_is_part_of_the_digest(tmp_path):
    from ghbench_baselines.vision_models import import_torchvision
    from safetensors.torch import save_file

    net = import_torchvision().models.shufflenet_v2_x0_5(weights=None).eval()
    plain, safe = tmp_path / "net.pth", tmp_path / "net.safetensors"
    torch.save({"state_dict": {f"module.{name}": value for name, value in net.state_dict().items()}}, plain)
    save_file(net.state_dict(), safe)
    images = pictures((224, 224), count=2)
    build = "torchvision:model=shufflenet_v2_x0_5,weights={}"
    extractors = [registry.build("extractor", build.format(file)) for file in (plain, safe)]
    first, second = (extractor.extract(images)["pooled"] for extractor in extractors)
    np.testing.assert_array_equal(first, second)
    assert extractors[0].spec().training.datasets == ("unknown",)
    assert extractors[0].spec().weights_digest != extractors[1].spec().weights_digest


def test_a_weights_file_with_code_in_it_is_refused(tmp_path):
    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "was-run"),))

    torch.save(Payload(), tmp_path / "bad.pth")
    extractor = registry.build("extractor", f"torchvision:model=shufflenet_v2_x0_5,weights={tmp_path / 'bad.pth'}")
    with pytest.raises(DataError, match=r"asks for .*mkdir"):
        extractor.extract(pictures((224, 224), count=1))
    assert not (tmp_path / "was-run").exists()


def test_a_weights_file_of_another_network_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    extractor = registry.build("extractor", f"torchvision:model=shufflenet_v2_x0_5,weights={tmp_path / 'other.pth'}")
    with pytest.raises(DataError, match="ShuffleNetV2"):
        extractor.extract(pictures((224, 224), count=1))


@pytest.mark.parametrize("spec", ["torchvision:model=resnet18", "timm:model=resnet18", "timm:model=mixnet_xxl"])
def test_weights_that_cannot_be_had_are_missing_and_the_network_is_not_touched(spec, monkeypatch, tmp_path):
    import socket

    monkeypatch.setenv("GHBENCH_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("touched the network"))
    with pytest.raises(MissingError, match="weights") as caught:
        registry.build("extractor", spec).spec()
    assert "weights=none" in caught.value.fix


def test_a_hub_that_fails_is_a_missing_error(monkeypatch):
    import huggingface_hub

    def refuse(*_args, **_kwargs):
        raise ConnectionError("no route to the hub")

    monkeypatch.delenv("GHBENCH_OFFLINE", raising=False)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    monkeypatch.setattr("requests.head", lambda *_args, **_options: None)
    with pytest.raises(MissingError, match="no route to the hub"):
        registry.build("extractor", "timm:model=resnet18").spec()


def test_a_hub_that_is_not_reachable_is_asked_once(monkeypatch, tmp_path):
    import huggingface_hub
    import requests

    asked = []

    def nobody(url, timeout):
        asked.append((url, timeout < 10))
        raise requests.ConnectionError("no route")

    def absent(_repository, _name, *, local_files_only, **_):
        assert local_files_only
        raise huggingface_hub.errors.LocalEntryNotFoundError("not cached")

    monkeypatch.delenv("GHBENCH_OFFLINE", raising=False)
    monkeypatch.setattr("requests.head", nobody)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", absent)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    for model in ("timm:model=resnet18", "torchvision:model=resnet18"):
        with pytest.raises(MissingError, match=r"cannot be (reached|downloaded)"):
            registry.build("extractor", model).spec()
    assert [url.split("/")[2] for url, _ in asked] == ["huggingface.co", "download.pytorch.org"]
    assert all(short for _, short in asked)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("torchvision:model=resnet81", "resnet18"),
        ("torchvision:model=resnet18,weights=IMAGENET9", "IMAGENET1K_V1"),
        ("timm:model=resnet18.nobody", "'nobody'"),
        ("timm:model=resnet18,weights=best", "weights=best"),
    ],
)
def test_unknown_models_and_weights_are_named(spec, message):
    with pytest.raises(UsageError, match=message):
        registry.build("extractor", spec).spec()


def test_an_untrained_network_says_so_and_depends_on_its_seed_alone():
    images = pictures((224, 224), count=2)
    build = "torchvision:model=shufflenet_v2_x0_5,weights=none,seed={}"
    one, again, other = (registry.build("extractor", build.format(seed)) for seed in (0, 0, 1))
    assert one.spec().name == "torchvision-shufflenet_v2_x0_5-untrained"
    np.testing.assert_array_equal(one.extract(images)["stage1"], again.extract(images)["stage1"])
    assert one.spec().weights_digest != other.spec().weights_digest
    assert not np.array_equal(one.extract(images)["stage1"], other.extract(images)["stage1"])


def test_weights_that_timm_publishes_are_loaded_from_the_file_that_was_digested(monkeypatch, tmp_path):
    from ghbench_baselines import backbones
    from ghbench_baselines.vision_models import import_timm
    from safetensors.torch import save_file

    net = import_timm().create_model("test_vit", pretrained=False).eval()
    save_file(net.state_dict(), tmp_path / "model.safetensors")
    monkeypatch.setattr(backbones, "fetch_from_hub", lambda _repository, _names: tmp_path / "model.safetensors")
    extractor = registry.build("extractor", "timm:model=test_vit")
    spec = extractor.spec()
    assert spec.training.datasets == ("imagenet-1k", "timm tag r160_in1k")
    images = pictures(spec.preprocessing.size, count=2)
    with torch.inference_mode():
        batch = normalised(images, extractor.mean, extractor.std)
        expected = net.forward_head(net.forward_features(batch), pre_logits=True).numpy()
    np.testing.assert_allclose(extractor.extract(images)["pooled"], expected, rtol=1e-4, atol=1e-5)


def photographs():
    from skimage import data

    return [data.astronaut(), data.chelsea(), data.coffee()[:, :333]]


def prepared(spec, images):
    return np.stack([prepare(image, spec.preprocessing, "none").image for image in images])


@pytest.mark.parametrize("model", ["test_vit", "test_efficientnet", "test_vit2", "resnet10t"])
def test_timm_images_are_prepared_as_timm_itself_does(model):
    from ghbench_baselines.vision_models import import_timm

    timm = import_timm()
    extractor = registry.build("extractor", f"timm:model={model},weights=none")
    found = extractor.normalise(torch.from_numpy(prepared(extractor.spec(), photographs())))
    config = timm.data.resolve_data_config({}, pretrained_cfg=timm.get_pretrained_cfg(model).to_dict())
    transform = timm.data.create_transform(**config)
    expected = torch.stack([transform(Image.fromarray(image)) for image in photographs()])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("weights", ["ResNet50_Weights.IMAGENET1K_V2", "ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1"])
def test_torchvision_images_are_prepared_as_torchvision_itself_does(weights, monkeypatch, tmp_path):
    from ghbench_baselines import backbones
    from ghbench_baselines.vision_models import import_torchvision

    (tmp_path / "weights.pth").touch()
    monkeypatch.setattr(backbones, "fetch_from_url", lambda _url: tmp_path / "weights.pth")
    preset = import_torchvision().models.get_weight(weights).transforms()
    model, entry = weights.lower().split("_weights.")
    extractor = registry.build("extractor", f"torchvision:model={model},weights={entry.upper()}")
    found = extractor.normalise(torch.from_numpy(prepared(extractor.spec(), photographs())))
    expected = torch.stack([preset(Image.fromarray(image)) for image in photographs()])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.network
@needs_network
def test_published_weights_as_a_file_give_what_torchvisions_own_pipeline_gives():
    from ghbench_baselines.vision_models import import_torchvision

    models, file = import_torchvision().models, assets.path("mobilenet-v2-imagenet1k-v1", "mobilenet_v2-b0353104.pth")
    network = models.mobilenet_v2(weights=None).eval()
    network.load_state_dict(torch.load(file, weights_only=True))
    preset = models.MobileNet_V2_Weights.DEFAULT.transforms()
    with torch.inference_mode():
        maps = network.features(torch.stack([preset(Image.fromarray(image)) for image in photographs()]))
    extractor = registry.build("extractor", f"torchvision:model=mobilenet_v2,weights={file}")
    found = extractor.extract(prepared(extractor.spec(), photographs()))["pooled"]
    np.testing.assert_allclose(found, maps.mean(dim=(2, 3)).numpy(), rtol=1e-3, atol=1e-3)


def test_timm_pools_as_it_is_told():
    build = "timm:model=test_vit,weights=none,pool={}"
    images = pictures((160, 160), count=2)
    own = registry.build("extractor", build.format("own"))
    network, _ = own.build()
    extractors = {how: registry.build("extractor", build.format(how)) for how in ("cls", "mean", "gem")}
    with torch.inference_mode():
        tokens = network.eval().forward_features(own.normalise(torch.from_numpy(images))).numpy()
    for how, expected in (
        ("cls", tokens[:, 0]),
        ("mean", tokens[:, 1:].mean(axis=1)),
        ("gem", np.cbrt((tokens[:, 1:].clip(1e-6) ** 3).mean(axis=1))),
    ):
        assert extractors[how].spec().default_levels == (how,)
        np.testing.assert_allclose(extractors[how].extract(images)[how], expected, rtol=1e-3, atol=1e-4)
    assert len({extractor.spec().weights_digest for extractor in extractors.values()}) == 3


def counted(module, head):
    return sum(weight.numel() for name, weight in module.named_parameters() if not name.startswith(head))


@pytest.mark.network
@needs_network
def test_dlibs_network_has_as_many_parameters_as_its_file_has_room_for():
    size = assets.path("dlib-face-models", "dlib_face_recognition_resnet_model_v1.dat").stat().st_size
    parameters = registry.build("extractor", "dlib-face").spec().parameters
    assert parameters == pytest.approx(size / 4, rel=1e-3)


def test_an_untrained_trunk_has_as_many_parameters_as_it_says():
    extractor = registry.build("extractor", "random-trunk")
    assert extractor.spec().parameters == counted(extractor.build()[0], "fc")


@pytest.mark.network
@needs_network
@pytest.mark.parametrize("name", ["mobilenet-v2", "efficientnet-lite0"])
def test_backbones_have_as_many_parameters_as_they_say(name):
    extractor = registry.build("extractor", name)
    assert extractor.spec().parameters == counted(extractor.build()[0], "classifier")


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_models_of_libraries_count_what_encodes_and_not_their_classifier(library):
    untrained = registry.build("extractor", f"{library}:model=resnet18,weights=none")
    assert untrained.spec().parameters == registry.build("extractor", "random-trunk").spec().parameters


def test_a_discriminator_counts_its_file_as_the_network_does():
    subject = registry.build("extractor", "discriminator:generator=stylegan2-mnist32")
    network, _ = subject.build()
    assert subject.spec().parameters == sum(weight.numel() for weight in network.parameters())


@pytest.mark.network
@needs_network
def test_the_graph_of_dinov2_holds_as_many_weights_as_are_stated():
    from ghbench_baselines import dinov2

    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(assets.path(dinov2._ASSET, dinov2._MEMBER)))
    dinov2._cut(model.graph, onnx.helper.make_tensor_value_info(dinov2._TOKENS, onnx.TensorProto.FLOAT, None))
    weights = [one for one in model.graph.initializer if one.data_type == onnx.TensorProto.FLOAT]
    assert sum(int(np.prod(one.dims)) for one in weights) == dinov2.DinoV2Small().spec().parameters
