"""Precision, recall, density and coverage against other programs, and by hand."""

from pathlib import Path

import numpy as np
import pytest

from ghbench.errors import DataError
from ghbench.metrics import precision_recall as module
from ghbench.metrics.jackknife import unit_groups
from ghbench.metrics.precision_recall import precision_recall, precision_recall_replicates

GOLDEN = Path(__file__).parents[1] / "golden" / "peer_distances.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_values_match_other_programs(golden):
    found = precision_recall(golden["one"], golden["two"], nearest=3, dense=5)
    assert [found["precision"], found["recall"]] == pytest.approx(golden["precision_recall_k3"], abs=1e-6)
    found = precision_recall(golden["one"], golden["two"], nearest=5, dense=5)
    assert list(found.values()) == pytest.approx(golden["prdc_k5"], abs=1e-12)


def test_a_line_by_hand():
    real, fake = np.array([[0.0], [1], [2], [10]]), np.array([[0.5], [3], [30], [31]])
    # Radii of real: 1, 1, 1, 8; of fake: 2.5, 2.5, 1, 1. The fake at 3 is on the surface of the ball of 2.
    found = precision_recall(real, fake, nearest=1, dense=1)
    assert found == {"precision": 2 / 4, "recall": 3 / 4, "density": (2 + 1 + 0 + 0) / 4, "coverage": 3 / 4}


def test_replicates_are_the_scores_without_the_group(golden, monkeypatch):
    real, fake = golden["one"][:120], golden["two"][:90]
    groups = unit_groups(np.arange(120), 6), unit_groups(np.arange(90) // 3, 5)
    values, without_real, without_fake = precision_recall_replicates(real, fake, *groups)
    assert values.tolist() == list(precision_recall(real, fake).values())
    assert (without_real.shape, without_fake.shape) == ((6, 4), (5, 4))
    for group in (0, 4):
        expected = precision_recall(real[groups[0] != group], fake)
        assert without_real[group].tolist() == pytest.approx(list(expected.values()))
        expected = precision_recall(real, fake[groups[1] != group])
        assert without_fake[group].tolist() == pytest.approx(list(expected.values()))
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", 1_000)
    in_blocks = precision_recall_replicates(real, fake, *groups)
    for one, other in zip(in_blocks, (values, without_real, without_fake), strict=True):
        np.testing.assert_allclose(one, other)


def test_a_common_part_changes_nothing(golden):
    moved = [golden[name] + 1e6 for name in ("one", "two")]
    assert precision_recall(*moved) == precision_recall(golden["one"], golden["two"])


def test_too_few_images_are_refused():
    with pytest.raises(DataError, match="at least 6"):
        precision_recall(np.zeros((5, 2)), np.zeros((9, 2)))
    with pytest.raises(DataError, match="one width"):
        precision_recall(np.zeros((9, 2)), np.zeros((9, 3)))
