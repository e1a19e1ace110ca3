"""The linear control: it guesses codes of renders better than their mean, and has no more than a thumbnail."""

from __future__ import annotations

import numpy as np
import pytest

from ghbench.data.renders import Renders
from ghbench.errors import UsageError
from ghbench.ghfeat import ridge
from ghbench.ghfeat.ridge import RidgeGhfeat
from ghbench.testing import check_extractor


@pytest.fixture(autouse=True)
def few_renders(monkeypatch, tmp_path):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(ridge, "FITTED", 300)
    monkeypatch.setattr(ridge, "VALIDATED", 50)


def test_it_keeps_the_contract_and_decodes(encoder_file):
    extractor = RidgeGhfeat(str(encoder_file))
    check_extractor(extractor)
    assert extractor.spec().metric is None
    assert extractor.spec().name == "ghfeat-ridge"


def test_it_guesses_unseen_codes_better_than_their_mean(encoder_file):
    renders = Renders("tiny", count=64, size=32)
    extractor = RidgeGhfeat(str(encoder_file), size=8)
    found = extractor.extract(renders.pixels())
    true = extractor.features_of_codes("tiny", renders.codes(list(range(64))))
    errors = {
        level: np.square(code - true[level]).sum() / np.square(true[level]).sum() for level, code in found.items()
    }
    assert min(errors.values()) < 0.9
    assert extractor.decode(found).shape == (64, 3, 32, 32)


def test_nothing_finer_than_the_thumbnail_counts(encoder_file):
    images = Renders("tiny", count=2, size=32).pixels()
    mixed = images.reshape(2, 3, 8, 4, 8, 4)[:, :, :, ::-1, :, ::-1].reshape(images.shape)
    one, other = (RidgeGhfeat(str(encoder_file), size=8).extract(np.ascontiguousarray(x)) for x in (images, mixed))
    for level, code in one.items():
        np.testing.assert_allclose(code, other[level], atol=1e-4)
    with pytest.raises(UsageError, match="divide"):
        RidgeGhfeat(str(encoder_file), size=12)


def test_its_fit_is_kept_and_made_again_where_the_file_is_damaged(encoder_file, tmp_path, monkeypatch):
    images = Renders("tiny", count=2, size=32).pixels()

    def found():
        return RidgeGhfeat(str(encoder_file), size=8).extract(images)

    first = found()
    (path,) = (tmp_path / "ridge").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    again = found()
    monkeypatch.setattr(RidgeGhfeat, "_fitted", None)
    for level, codes in found().items():
        np.testing.assert_array_equal(codes, again[level])
        np.testing.assert_allclose(codes, first[level], atol=1e-5)
