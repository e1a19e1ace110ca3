"""The largest memory of this process, since it began and since a moment."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ghbench import resident_memory
from ghbench.resident_memory import PeakMemory

LARGE = 64 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="no other system restarts its count")
def test_what_was_given_back_before_the_moment_does_not_count_from_it_on():
    peak = PeakMemory()
    assert peak.recent() is None
    first = peak.whole()
    np.ones(LARGE + int(first) * 2**20, dtype=np.uint8)
    before = peak.whole()
    assert before >= first + LARGE / 2**20 / 2
    peak.restart()
    assert peak.recent() < before - LARGE / 2**20 / 2
    assert peak.whole() == before
    held = peak.recent()
    np.ones(LARGE, dtype=np.uint8)
    assert peak.recent() >= held + LARGE / 2**20 / 2


def test_where_the_system_cannot_tell_nothing_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(resident_memory, "_CLEAR", tmp_path / "none" / "clear_refs")
    peak = PeakMemory()
    peak.restart()
    assert peak.recent() is None
    assert peak.whole() > 0
