"""`renders`: a generator's images as a dataset, drawn when asked for, once, by recipe, with their true codes."""

import pickle

import numpy as np
import pytest
import torch

from ghbench import registry
from ghbench.data.renders import Renders
from ghbench.data.subset import first_rows
from ghbench.dataset import Dataset, Drawn, content_digest
from ghbench.errors import UsageError
from ghbench.generators import rendering
from ghbench.generators.native import save_generator
from ghbench.generators.stylegan2 import StyleGAN2
from ghbench.generators.tiny import tiny_generator
from ghbench.seeds import RANGES

TEST = RANGES["test"].start


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def tiny(**options):
    return Renders("tiny", **{"count": 5, "size": 16, **options})


def test_it_is_a_dataset_of_unseen_seeds():
    dataset = registry.build("dataset", "renders:generator=tiny,count=3,size=32")
    assert isinstance(dataset, Dataset)
    assert dataset.ids == ("seed-0004000000", "seed-0004000001", "seed-0004000002")
    assert {name: rows.tolist() for name, rows in dataset.splits.items()} == {"test": [0, 1, 2]}
    assert dataset.image(0).shape == (32, 32, 3)
    assert (dataset.card().domain, dataset.targets, len(set(dataset.identities()))) == ("in-generator", {}, 3)
    assert dataset.image_digests() == dataset.identities()


def test_nothing_but_pixels_draws_or_loads_the_generator(monkeypatch, tmp_path):
    monkeypatch.setattr(Renders, "_load", lambda self: pytest.fail("loaded"))
    dataset = first_rows(tiny(), 3)
    assert (len(dataset), len(dataset.ids), len(dataset.identities()), list(dataset.splits)) == (3, 3, 3, ["test"])
    assert content_digest(dataset) != content_digest(tiny())
    pickle.dumps(dataset)
    assert not list(tmp_path.rglob("*.npy"))


def test_a_picture_is_the_average_over_squares_of_what_its_code_draws():
    dataset = tiny(psi=0.5)
    generator = tiny_generator()
    with torch.no_grad():
        whole = generator.synthesis(torch.from_numpy(dataset.codes([3])))[0].numpy()
        again = generator.mapping(rendering.seeded_z([TEST + 3], 16), 0.5).numpy()
    np.testing.assert_allclose(dataset.codes([3]), again, atol=1e-5)
    averaged = whole.reshape(3, 16, 2, 16, 2).mean(axis=(2, 4)).clip(-1, 1)
    expected = np.round((averaged + 1) * 127.5).transpose(1, 2, 0)
    assert np.abs(dataset.image(3) - expected).max() <= 1


def test_a_seed_is_the_same_picture_in_any_set():
    first, second = tiny(), tiny(first=TEST + 2, count=2)
    np.testing.assert_array_equal(first.pixels()[2:4], second.pixels())
    assert first.identities()[2:4] == second.identities()
    for options in ({"psi": 0.7}, {"mixed": 0.5}, {"size": 32}):
        assert not set(tiny(**options).identities()) & set(first.identities())
        assert tiny(**options).recipe_digest != first.recipe_digest
    assert content_digest(first) == content_digest(tiny())


def test_mixed_codes_are_of_two_styles():
    plain, mixed = tiny().codes(range(5)), tiny(mixed=1).codes(range(5))
    np.testing.assert_allclose(mixed[:, 0], plain[:, 0], atol=1e-6)
    assert (np.abs(mixed[:, 1:] - plain[:, 1:]).max(axis=(1, 2)) > 0.1).all()


@pytest.fixture
def drawn(monkeypatch):
    """Shards that were drawn."""
    shards = []
    draw = rendering.RenderShards._drawn
    monkeypatch.setattr(rendering.RenderShards, "_drawn", lambda *args: shards.append(args[3]) or draw(*args))
    return shards


def test_only_the_files_of_the_rows_asked_for_are_drawn(drawn):
    dataset = tiny(count=200)
    dataset.image(70)
    first_rows(dataset, 64).draw(range(64), lambda done, total, label: None)
    assert drawn == [range(TEST + 64, TEST + 128), range(TEST, TEST + 64)]
    some = dataset.pixels([127, 3, 70])
    assert len(drawn) == 2
    for pixels, row in zip(some, [127, 3, 70], strict=True):
        np.testing.assert_array_equal(pixels.transpose(1, 2, 0), dataset.image(row))
    with pytest.raises(IndexError):
        dataset.image(200)


def test_progress_counts_missing_images_from_the_start_and_by_batches(monkeypatch):
    told = []
    load = Renders._load
    monkeypatch.setattr(Renders, "_load", lambda self: told.append("load") or load(self))
    dataset = tiny(count=70)
    assert isinstance(dataset, Drawn)
    dataset.draw([65], lambda done, total, label: told.append((done, total)))
    assert told == [(0, 6), "load", (0, 6), (4, 6), (6, 6)]
    told.clear()
    dataset.draw(range(70), lambda done, total, label: told.append((done, total)))
    assert (told[0], told[-1], len(told)) == ((0, 64), (64, 64), 2 + 1 + 16)
    told.clear()
    dataset.draw(range(70), lambda done, total, label: told.append((done, total)))
    assert told == []


def test_a_drawn_dataset_travels_to_other_processes_without_generator_and_pixels():
    dataset = tiny()
    image = dataset.image(4)
    content = pickle.dumps(dataset)
    assert len(content) < 4_000
    np.testing.assert_array_equal(pickle.loads(content).image(4), image)


def test_what_is_drawn_is_kept_and_what_was_interrupted_is_resumed(drawn, tmp_path):
    whole = tiny(count=70).pixels()
    assert [len(seeds) for seeds in drawn] == [64, 6]
    kept = next(tmp_path.rglob(f"{TEST + 64:09d}-0006.npy"))
    kept.write_bytes(b"cut off")
    np.testing.assert_array_equal(tiny(count=70).pixels(), whole)
    assert [len(seeds) for seeds in drawn] == [64, 6, 6]


@pytest.mark.parametrize(
    "options",
    [
        {"count": 0},
        {"first": 999_999},
        {"first": TEST - 1},
        {"first": 5_000_000},
        {"first": -5},
        {"psi": 3.0},
        {"mixed": 1.5},
        {"size": 12},
        {"size": 0},
    ],
)
def test_wrong_options_are_refused_before_anything_is_drawn(options):
    with pytest.raises(UsageError):
        tiny(**options)


@pytest.mark.parametrize(
    ("purpose", "card"),
    [(purpose, "renders" if purpose == "test" else f"renders-{purpose}") for purpose in RANGES],
)
def test_seeds_say_what_they_are_for(purpose, card):
    dataset = tiny(first=RANGES[purpose].start)
    assert (list(dataset.splits), dataset.card().name) == ([purpose], card)


@pytest.mark.parametrize("purpose", [purpose for purpose in RANGES if purpose != "train"])
def test_networks_are_trained_on_training_seeds_only(purpose):
    from ghbench.training.images import TrainingImages

    assert len(TrainingImages(tiny(first=0), 16)) == 5
    with pytest.raises(UsageError, match="has no split 'train'"):
        TrainingImages(tiny(first=RANGES[purpose].start), 16)


def test_a_conditional_grey_generator_gives_renders_of_its_class(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    path = tmp_path / "c.safetensors"
    save_generator(path, StyleGAN2({4: 8, 8: 6}, z_dim=5, w_dim=7, labels=3, colours=1), licence="")
    sets = [Renders(str(path), count=2, label=label) for label in (0, 2)]
    one, two = (found.pixels() for found in sets)
    assert one.shape == (2, 3, 8, 8)
    assert (one[:, :1] == one).all()
    assert not np.array_equal(one, two)
    assert len({found.recipe_digest for found in sets}) == 2
    with pytest.raises(UsageError, match="label"):
        Renders(str(path), count=2).pixels()
