"""Every built-in extractor keeps the contract, and describes itself without the library that computes it."""

import os
import subprocess
import sys

import pytest

from ghbench import registry
from ghbench.testing import check_extractor

PLAIN = ["pixels", "thumbnail", "random-projection", "hog", "random-trunk", "eigenfaces", "discriminator"]
FROM_ASSETS = ["mobilenet-v2", "efficientnet-lite0", "dinov2-small", "dlib-face"]
OPEN_ENDED = [
    "torchvision:model=shufflenet_v2_x0_5,weights=none",
    "timm:model=vit_tiny_patch16_224,weights=none",
    "timm:model=test_efficientnet,weights=none",
]
needs_network = pytest.mark.skipif(os.environ.get("GHBENCH_OFFLINE") == "1", reason="GHBENCH_OFFLINE=1")


@pytest.mark.parametrize("spec", PLAIN + OPEN_ENDED)
def test_the_contract_is_kept(spec):
    check_extractor(registry.build("extractor", spec))


@pytest.mark.network
@needs_network
@pytest.mark.parametrize("spec", FROM_ASSETS)
def test_the_contract_is_kept_with_real_weights(spec):
    check_extractor(registry.build("extractor", spec))


def test_the_lists_above_name_every_baseline():
    named = {spec.partition(":")[0] for spec in PLAIN + FROM_ASSETS + OPEN_ENDED}
    ours = [plugin for plugin in registry.plugins("extractor") if plugin.target.startswith("ghbench_baselines.")]
    # Navigators have directions and no features.
    registered = {plugin.name for plugin in ours if ".navigators." not in plugin.target}
    # `imported` stands for features made elsewhere; the others need a dataset, a model or a run, which their own tests
    # make.
    assert named == registered - {"pca", "imported", "hf", "open_clip", "trained"}


def test_specs_of_named_extractors_need_none_of_the_heavy_libraries():
    code = f"""
import sys
from ghbench import registry
for name in {PLAIN + FROM_ASSETS}:
    registry.build("extractor", name).spec()
heavy = {{"torch", "torchvision", "timm", "dlib", "onnx", "onnxruntime", "skimage", "sklearn"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
