"""The untrained control: another seed, other features; the same seed, the same; nothing learned but norms."""

from __future__ import annotations

import numpy as np
import pytest

from ghbench.data.renders import Renders
from ghbench.errors import UsageError
from ghbench.ghfeat import untrained
from ghbench.ghfeat.untrained import UntrainedGhfeat
from ghbench.testing import check_extractor


@pytest.fixture(autouse=True)
def few_renders(monkeypatch, tmp_path):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(untrained, "CALIBRATED", 64)


def test_it_is_an_extractor_of_the_trained_ones_levels(encoder_file):
    extractor = UntrainedGhfeat(str(encoder_file))
    check_extractor(extractor)
    assert "none" in extractor.spec().training.supervision


def test_features_depend_on_the_seed_alone(encoder_file):
    images = Renders("tiny", count=4, size=32).pixels()
    first, again, other = (UntrainedGhfeat(str(encoder_file), seed).extract(images) for seed in (0, 0, 1))
    for level, code in first.items():
        np.testing.assert_array_equal(code, again[level])
        assert np.abs(code - other[level]).max() > 1e-3
    digests = {UntrainedGhfeat(str(encoder_file), seed).spec().weights_digest for seed in (0, 1)}
    assert len(digests) == 2
    with pytest.raises(UsageError, match="seed"):
        UntrainedGhfeat(seed=-1)
