"""The largest memory of this process, since it began and since a moment."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ghbench import resident_memory
from ghbench.resident_memory import PeakMemory

ALLOCATE = """
import numpy as np
from ghbench.resident_memory import PeakMemory
def held(megabytes):
    np.ones(megabytes << 20, dtype=np.uint8)
peak = PeakMemory()
told = [peak.recent()]
held(256)
told.append(peak.whole())
peak.restart()
told += [peak.recent(), peak.whole()]
held(64)
told += [peak.recent(), peak.whole()]
print(*told)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no other system restarts its count")
def test_what_was_given_back_before_the_moment_does_not_count_from_it_on():
    done = subprocess.run([sys.executable, "-c", ALLOCATE], capture_output=True, text=True, check=True)  # of its own
    nothing, *told = done.stdout.split()
    high, restarted, same, later, end = map(float, told)
    assert nothing == "None"
    assert high > 256
    assert restarted + 40 < later < high - 100
    assert high == same == end


def test_where_the_system_cannot_tell_nothing_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(resident_memory, "_CLEAR", tmp_path / "none" / "clear_refs")
    peak = PeakMemory()
    peak.restart()
    assert peak.recent() is None
    assert peak.whole() > 0
