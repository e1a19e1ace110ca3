"""A process that ends before any of its changes to the disk leaves what the next one completes and clears."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

POINTS = 2
"""A path; `benchmarks/crashes.py` kills at random moments, and `end_everywhere.py FOLDER 0` ends at every point."""
NAMES = (
    "feature store", "features copied there and back", "index of neighbours", "converted checkpoint", "result",
    "features for other programs", "imported features", "asset",
)  # fmt: skip
"""The others take seconds; `tests/training` interrupts trainings."""


def test_what_was_ended_anywhere_is_completed_by_the_next(tmp_path):
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("end_everywhere.py")), str(tmp_path), str(POINTS), *NAMES],
        env={**os.environ, "GHBENCH_HOME": str(tmp_path / "home")},
        capture_output=True, text=True, timeout=300, check=False, start_new_session=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert list(counts) == list(NAMES)
    assert all(tried == POINTS <= points for tried, points in counts.values()), counts
