"""Generators by name, by option and by path; what is missing or wrong says how to mend it."""

import subprocess
import sys

import pytest
import torch

import ghbench
from ghbench import registry
from ghbench.errors import DataError, MissingError, PluginError, UsageError
from ghbench.generator import GeneratorPlugin
from ghbench.generators import shipped_weights
from ghbench.generators.description import generator_description
from ghbench.generators.loading import generator_plugin, load_generator
from ghbench.generators.native import save_generator
from ghbench.generators.protocol import Generator
from ghbench.generators.stylegan1 import StyleGAN1
from ghbench.generators.tiny import tiny_generator
from ghbench.locations import offline

SHIPPED = ["stylegan1-fashion32", "stylegan2-fashion32", "stylegan2-mnist32", "stylegan2-sprites64"]


def test_the_first_party_generators_are_registered():
    assert set(ghbench.list_generators()) >= {"dcgan-faces", "mobile-stylegan-ffhq", "tiny", *SHIPPED}


@pytest.mark.parametrize("name", ["tiny", "dcgan-faces", "mobile-stylegan-ffhq", "mobile-stylegan-ffhq:size=256"])
def test_a_spec_needs_neither_torch_nor_weights(name):
    code = f"""
import sys
from ghbench import registry
spec = registry.build("generator", {name!r}).spec()
assert spec.licence and spec.size and len(spec.weights_digest) == 64
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_tiny_is_its_seed_and_says_that_it_is_untrained():
    one, two = ghbench.load_generator("tiny:seed=3"), tiny_generator(3)
    assert isinstance(one, Generator)
    assert torch.equal(one.const, two.const)
    plugin = generator_plugin("tiny:seed=3")
    assert isinstance(plugin, GeneratorPlugin)
    assert plugin.spec().weights_digest != generator_plugin("tiny").spec().weights_digest
    assert any("UNTRAINED" in note for note in plugin.spec().notes)


def test_a_path_is_a_generator_whatever_its_name(tmp_path, monkeypatch):
    path = tmp_path / "no suffix at all"
    save_generator(path, tiny_generator(), licence="mine", extra={"training": {"datasets": ["fashion-mnist"]}})
    for spec in (path, str(path)):
        assert torch.equal(load_generator(spec).const, tiny_generator().const)
    about = generator_description(generator_plugin(path))
    assert (about["licence"], about["size"], about["training"]["datasets"]) == ("mine", 32, ("fashion-mnist",))
    monkeypatch.chdir(tmp_path)
    assert load_generator("no suffix at all").resolution == 32


@pytest.mark.parametrize("name", SHIPPED)
def test_our_own_weights_say_how_to_train_them_where_they_are_not(name, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped_weights, "shipped_file", lambda name: tmp_path / name / "model.safetensors")
    for use in ("spec", "load"):
        with pytest.raises(MissingError, match="ghbench train stylegan"):
            getattr(registry.build("generator", name), use)()


def test_our_own_weights_are_read_from_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped_weights, "shipped_file", lambda name: tmp_path / name / "model.safetensors")
    generator = StyleGAN1({4: 8, 8: 6}, z_dim=5, w_dim=7, colours=1)
    file = shipped_weights.shipped_file("stylegan1-fashion32")
    save_generator(file, generator, licence="Apache-2.0")
    plugin = registry.build("generator", "stylegan1-fashion32")
    spec = plugin.spec()
    assert (spec.size, spec.colours, spec.licence) == (8, 1, "Apache-2.0")
    assert spec.training.datasets == ("fashion-mnist#train",)
    assert torch.equal(plugin.load().const, generator.const)


def test_levels_are_described_with_both_widths():
    rows = generator_description(generator_plugin("tiny"))["levels"]
    assert rows[2] == {
        "level": "r8.up", "resolution": 8, "channels": 16, "raw": 16, "canonical": 16, "w_plus_row": 1, "ghfeat": 7,
    }  # fmt: skip


@pytest.mark.network
@pytest.mark.skipif(offline(), reason="GHBENCH_OFFLINE is set")
def test_published_faces_have_narrower_canonical_codes_and_dcgan_none():
    rows = generator_description(generator_plugin("mobile-stylegan-ffhq"))["levels"]
    assert (sum(row["raw"] for row in rows), sum(row["canonical"] for row in rows)) == (6752, 6016)
    (row,) = generator_description(generator_plugin("dcgan-faces"))["levels"]
    assert (row["level"], row["raw"], row["canonical"]) == ("z", None, None)


MODULE = '''
class Hollow:
    """Has nothing."""

class Wrong:
    """Loads something else."""

    def spec(self): ...

    def load(self):
        return 3

class Failing(Wrong):
    """Fails."""

    def load(self):
        raise KeyError("weights")
'''


def test_errors_name_what_is_wrong(tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)
    with pytest.raises(PluginError, match=r"spec\(\)"):
        load_generator(f"{tmp_path}/mine.py:Hollow")
    with pytest.raises(PluginError, match="int"):
        load_generator(f"{tmp_path}/mine.py:Wrong")
    with pytest.raises(PluginError, match="KeyError"):
        load_generator(f"{tmp_path}/mine.py:Failing")
    with pytest.raises(UsageError, match="tiny"):
        load_generator("tinny")
    with pytest.raises(UsageError, match="100"):
        load_generator("mobile-stylegan-ffhq:size=100")
    with pytest.raises(MissingError, match=r"absent\.pkl"):
        load_generator(tmp_path / "absent.pkl")
    (tmp_path / "text.pkl").write_text("<html>")
    with pytest.raises(DataError, match="web page"):
        load_generator(tmp_path / "text.pkl")
    (tmp_path / "net.xml").write_text('<net name="x"><layers/></net>')
    (tmp_path / "net.bin").write_bytes(b"x")
    with pytest.raises(DataError, match="MobileStyleGAN"):
        load_generator(tmp_path / "net.xml")
