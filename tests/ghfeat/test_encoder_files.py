"""Encoders as files."""

import numpy as np
import pytest
import torch
from safetensors import safe_open

from ghbench import checkpoints
from ghbench.checkpoints import Checkpoint
from ghbench.errors import DataError
from ghbench.extractor import TrainingRecord
from ghbench.generators.tiny import tiny_generator
from ghbench.ghfeat.files.weights import load_encoder, save_encoder
from ghbench.ghfeat.network.config import compact
from ghbench.ghfeat.network.encoder import Encoder
from ghbench.ghfeat.network.layout import layout_of
from ghbench.ghfeat.network.statistics import layout_statistics

RECORD = TrainingRecord(("renders of tiny",), frozenset({"a" * 64}), ("b" * 64,), "renders", "in-generator")


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    generator = tiny_generator()
    layout = layout_of(generator)
    made = Encoder(compact(layout, 32, width=1 / 8, pyramid_width=8))
    made.use_statistics(layout_statistics(generator, layout, samples=100))
    made(torch.randn(4, 3, 32, 32))  # moves the norms' statistics
    return made.eval()


@torch.no_grad()
@pytest.mark.parametrize(("half", "tolerance"), [(False, 0.0), (True, 5e-3)])
def test_an_encoder_comes_back_from_its_file(encoder, tmp_path, half, tolerance):
    path = tmp_path / "e.safetensors"
    save_encoder(path, encoder, licence="Apache-2.0", record=RECORD, about={"generator": "tiny"}, half=half)
    before = torch.get_rng_state()
    saved = load_encoder(path)
    assert torch.equal(before, torch.get_rng_state())
    assert (saved.licence, saved.record, saved.about) == ("Apache-2.0", RECORD, {"generator": "tiny"})
    assert saved.encoder.config == encoder.config
    assert not saved.official
    assert not saved.encoder.training
    images = torch.randn(2, 3, 32, 32)
    expected = encoder(images)
    for name, code in saved.encoder(images).items():
        torch.testing.assert_close(code, expected[name], rtol=tolerance, atol=tolerance)
        assert torch.equal(saved.encoder.mean(name), encoder.mean(name))
    # What was loaded can be trained on.
    assert all(parameter.requires_grad for parameter in saved.encoder.parameters())


def test_half_precision_is_for_matrices_only(encoder, tmp_path):
    save_encoder(tmp_path / "e.safetensors", encoder, licence="Apache-2.0", record=RECORD, half=True)
    with safe_open(tmp_path / "e.safetensors", framework="numpy") as file:
        kinds = {(file.get_tensor(name).ndim > 1, str(file.get_tensor(name).dtype)) for name in file.keys()}  # noqa: SIM118
    assert kinds == {(True, "float16"), (False, "float32"), (False, "int64")}


def test_equal_weights_have_equal_files(encoder, tmp_path):
    for name in ("one", "two"):
        save_encoder(tmp_path / name, encoder, licence="Apache-2.0", record=RECORD)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_weights_beyond_float16_stay_in_float32(encoder, tmp_path):
    with torch.no_grad():
        encoder.trunk.stem.conv.weight[0, 0, 0, 0] = 1e6
    save_encoder(tmp_path / "e.safetensors", encoder, licence="x", record=RECORD, half=True)
    assert load_encoder(tmp_path / "e.safetensors").encoder.trunk.stem.conv.weight[0, 0, 0, 0].item() == 1e6


def test_weights_that_are_not_finite_replace_nothing(encoder, tmp_path):
    (tmp_path / "e").write_text("a good one")
    with torch.no_grad():
        encoder.trunk.stem.conv.weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(DataError, match=r"trunk\.stem\.conv\.weight"):
        save_encoder(tmp_path / "e", encoder, licence="x", record=RECORD, half=True)
    assert (tmp_path / "e").read_text() == "a good one"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 50}, "trunk"),
        ({"pyramid_width": 10**9}, "build"),
        ({"size": 2**40}, "32, 64, 128"),
        ({"depth": "18"}, "depth 18"),
        ({"layout": {"space": "w", "levels": [["w", -3, 0]], "rows": 8}}, "levels of codes"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_file_with_a_false_architecture_is_refused(encoder, tmp_path, change, message):
    arrays = {f"encoder/{name}": np.asarray(value.numpy()) for name, value in encoder.state_dict().items()}
    architecture = {"encoder": {**encoder.config.to_json(), **change}}
    record = {"datasets": [], "image_digests": None, "networks": [], "supervision": "none", "domain": "not stated"}
    content = Checkpoint("ghfeat-encoder", arrays, {"record": record}, "")
    checkpoints.write(tmp_path / "e.safetensors", content, licence="x", architecture=architecture)
    with pytest.raises(DataError, match=message):
        load_encoder(tmp_path / "e.safetensors")
