"""Codes by optimisation: they reconstruct the image, independently of the others, and the cache keeps whole files."""

import numpy as np
import pytest
import torch

from ghbench.generators.loading import load_generator
from ghbench.generators.rendering import from_uint8
from ghbench.ghfeat.editing.inversion import Inversion, Inversions, invert, unstandardise
from ghbench.ghfeat.network.decoding import decode_codes
from ghbench.ghfeat.network.layout import layout_of
from ghbench.ghfeat.network.statistics import layout_statistics
from ghbench.registry import build


@pytest.fixture(scope="module")
def generator():
    return load_generator("tiny")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GHBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return build("dataset", "renders:generator=tiny,size=32,count=5").pixels()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_optimised_codes_reconstruct_the_image_and_the_mean_code_does_not(generator, drawn, precision):
    layout = layout_of(generator)
    statistics = layout_statistics(generator, layout)
    targets = from_uint8(drawn[[0, 1]])
    method = Inversion("tiny", steps=60, rate=0.1, precision=precision)
    units = invert(generator, layout, statistics, targets, method)
    with torch.no_grad():
        made = decode_codes(generator, layout, unstandardise(units, statistics))
        mean = decode_codes(generator, layout, {name: found.mean[None] for name, found in statistics.items()})
    assert (made - targets).square().mean() < 0.1 * (mean - targets).square().mean()


def test_inversion_does_not_depend_on_the_other_images(drawn, tmp_path):
    together = Inversions(Inversion("tiny", steps=5, batch=5), tmp_path / "together")
    alone = Inversions(Inversion("tiny", steps=5, batch=1), tmp_path / "alone")
    together.make(drawn)
    alone.make(drawn[3:4])
    one, other = together.read(drawn)[3].astype(int), alone.read(drawn[3:4])[0].astype(int)
    assert np.abs(one - other).max() <= 1
    assert (one != other).mean() < 0.01


def test_only_missing_images_are_inverted_and_damaged_ones_count_as_missing(drawn, tmp_path):
    kept = Inversions(Inversion("tiny", steps=2, batch=2), tmp_path)
    assert kept.read(drawn) is None
    reports = []
    kept.make(drawn[:3], lambda done, total: reports.append((done, total)))
    assert reports == [(2, 3), (3, 3)]
    assert kept.missing(drawn) == [3, 4]
    broken = next(kept.path.iterdir())
    broken.write_bytes(broken.read_bytes()[:100])
    assert len(kept.missing(drawn)) == 3
    kept.make(drawn)
    assert kept.read(drawn).shape == drawn.shape
    for other in (Inversion("tiny", steps=3), Inversion("tiny", steps=2, precision="bfloat16")):
        assert Inversions(other, tmp_path).read(drawn) is None, "another method"
