"""Changed images are the same whenever they are asked for, differ from the plain ones, and say so."""

from __future__ import annotations

import numpy as np
import pytest

from ghbench.data.changed_images import KINDS, ChangedImages
from ghbench.data.renders import Renders
from ghbench.dataset import Dataset, content_digest
from ghbench.errors import UsageError


@pytest.fixture
def plain(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    return Renders("tiny", count=3, size=32)


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_always_the_same_and_no_other_image_has_it(plain, kind):
    changed = ChangedImages(plain, kind)
    assert isinstance(changed, Dataset)
    first = [changed.image(row) for row in range(3)]
    assert all(image.shape == (32, 32, 3) and image.dtype == np.uint8 for image in first)
    np.testing.assert_array_equal(first[1], ChangedImages(plain, kind).image(1))
    differing = [np.abs(image.astype(int) - plain.image(row)).mean() for row, image in enumerate(first)]
    assert max(differing) > 1
    assert content_digest(changed) != content_digest(plain)
    assert changed.card().name.endswith(f"-{kind}")


def test_kinds_are_known(plain):
    assert len({content_digest(ChangedImages(plain, kind)) for kind in KINDS}) == len(KINDS)
    with pytest.raises(UsageError, match="side-light"):
        ChangedImages(plain, "fog")
