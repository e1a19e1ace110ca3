"""`renders`: a generator's pictures as a dataset, drawn once, by recipe, with their true codes."""

import numpy as np
import pytest
import torch

from ghbench import registry
from ghbench.data.renders import Renders
from ghbench.dataset import Dataset, content_digest
from ghbench.errors import UsageError
from ghbench.generator import EVALUATION_SEED
from ghbench.generators import rendering
from ghbench.generators.tiny import tiny_generator


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def tiny(**options):
    return Renders("tiny", **{"count": 5, "size": 16, **options})


def test_it_is_a_dataset_of_unseen_seeds():
    dataset = registry.build("dataset", "renders:generator=tiny,count=3,size=32")
    assert isinstance(dataset, Dataset)
    assert dataset.ids == ("seed-0001000000", "seed-0001000001", "seed-0001000002")
    assert {name: rows.tolist() for name, rows in dataset.splits.items()} == {"test": [0, 1, 2]}
    assert dataset.image(0).shape == (32, 32, 3)
    assert (dataset.card().domain, dataset.targets, len(set(dataset.image_digests()))) == ("in-generator", {}, 3)


def test_a_picture_is_the_average_over_squares_of_what_its_code_draws():
    dataset = tiny(psi=0.5)
    generator = tiny_generator()
    with torch.no_grad():
        whole = generator.synthesis(torch.from_numpy(dataset.codes([3])))[0].numpy()
        again = generator.mapping(rendering.seeded_z([1_000_003], 16), 0.5).numpy()
    np.testing.assert_allclose(dataset.codes([3]), again, atol=1e-5)
    averaged = whole.reshape(3, 16, 2, 16, 2).mean(axis=(2, 4)).clip(-1, 1)
    expected = np.round((averaged + 1) * 127.5).transpose(1, 2, 0)
    assert np.abs(dataset.image(3) - expected).max() <= 1


def test_a_seed_is_the_same_picture_in_any_set():
    first, second = tiny(), tiny(first=EVALUATION_SEED + 2, count=2)
    np.testing.assert_array_equal(first.pixels()[2:4], second.pixels())
    assert first.recipe_digest != tiny(psi=0.7).recipe_digest
    assert content_digest(first) == content_digest(tiny())


def test_mixed_codes_are_of_two_styles():
    plain, mixed = tiny().codes(range(5)), tiny(mixed=1).codes(range(5))
    np.testing.assert_allclose(mixed[:, 0], plain[:, 0], atol=1e-6)
    assert (np.abs(mixed[:, 1:] - plain[:, 1:]).max(axis=(1, 2)) > 0.1).all()


def test_what_is_drawn_is_kept_and_what_was_interrupted_is_resumed(monkeypatch, tmp_path):
    drawn = []
    draw = rendering.RenderShards._drawn
    monkeypatch.setattr(rendering.RenderShards, "_drawn", lambda *args: drawn.append(args[3]) or draw(*args))
    whole = tiny(count=70).pixels()
    assert [len(seeds) for seeds in drawn] == [64, 6]
    kept = next(tmp_path.rglob("001000064-0006.npy"))
    kept.write_bytes(b"cut off")
    np.testing.assert_array_equal(tiny(count=70).pixels(), whole)
    assert [len(seeds) for seeds in drawn] == [64, 6, 6]


@pytest.mark.parametrize(
    "options",
    [{"count": 0}, {"first": 999_999}, {"first": -5}, {"psi": 3.0}, {"mixed": 1.5}, {"size": 12}, {"size": 0}],
)
def test_wrong_options_are_refused_before_anything_is_drawn(options):
    with pytest.raises(UsageError):
        tiny(**options)


def test_seeds_below_a_million_are_for_fitting():
    assert (list(tiny(first=0).splits), tiny(first=0).card().name) == (["train"], "renders-train")
