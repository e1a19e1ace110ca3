"""What a user writes: a dataset's name, options by name, values that must fit."""

from __future__ import annotations

import pytest
import torch

from ghbench import checkpoints
from ghbench.errors import MissingError, UsageError
from ghbench.generators.loading import training_record
from ghbench.training.gan import GanOptions
from ghbench.training.gan_job import gan_recipe
from ghbench.training.settings import parse_settings


@pytest.fixture
def folder(tmp_path):
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(4):
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    return tmp_path


def test_a_folder_of_pictures_is_a_training_set(folder):
    recipe = gan_recipe("stylegan2", f"imagefolder:path={folder}", 16, 100, ["batch=2", "channels=4"])
    assert recipe.images.uint8(recipe.images.rows[:2]).shape == (2, 3, 16, 16)
    assert (recipe.batch, recipe.options.channels, recipe.options.colours) == (2, 4, 3)


def test_values_have_the_types_of_the_fields():
    settings = ["mirror=true", "rate=1e-3", "batch=8"]
    assert parse_settings(GanOptions, settings) == {"mirror": True, "rate": 1e-3, "batch": 8}


@pytest.mark.parametrize("setting", ["depth=3", "batch", "batch=many", "mirror=perhaps", "size=64"])
def test_what_does_not_fit_is_refused(setting):
    with pytest.raises(UsageError):
        parse_settings(GanOptions, [setting], taken=("model", "size"))


def test_an_unknown_dataset_is_named(folder):
    with pytest.raises(UsageError, match="fashion-mnist"):
        gan_recipe("stylegan2", "fashion-mist", 32, 100)


def test_a_training_goes_on_from_the_networks_of_an_earlier_one(folder, tmp_path_factory):
    data, small = f"imagefolder:path={folder}", ["batch=2", "channels=4", "most_channels=8", "z_dim=8", "w_dim=8"]
    history = {"images": 2, "steps": 1, "seed": 0, "command": "ghbench train ...", "metrics": {}, "hours": 0}
    first = gan_recipe("stylegan2", data, 16, 100, small)
    made = tmp_path_factory.mktemp("made")
    first.export(made, history)
    path = str(made / "model.safetensors")
    again = gan_recipe("stylegan2", data, 16, 100, small, seed=1, start=path)
    for part in ("generator", "discriminator"):
        for name, value in again.networks[part].state_dict().items():
            if not name.endswith("w_mean"):
                assert torch.equal(value, first.networks[part].state_dict()[name]), name
    assert again.describe()["start"]["name"].startswith(path)
    assert again.describe()["start"]["licence"] == checkpoints.read(made / "model.safetensors").config["licence"]
    again.start = {**again.start, "name": "theirs", "licence": "CC BY-NC 4.0", "datasets": ["ffhq"]}
    again.export(made, history)
    record = training_record(checkpoints.read(made / "model.safetensors"))
    assert (record.datasets, record.supervision) == (("ffhq", "imagefolder"), "unsupervised")
    assert record.networks == tuple(again.start["networks"])
    assert "started from weights under CC BY-NC 4.0" in checkpoints.read(made / "model.safetensors").config["licence"]
    assert "started from theirs" in (made / "card.md").read_text()
    first.export(made, history)
    with pytest.raises(UsageError, match="other sizes"):
        gan_recipe("stylegan2", data, 32, 100, small, start=path)
    with pytest.raises(MissingError, match="no training"):
        gan_recipe("stylegan2", data, 16, 100, small, start="nobody")
