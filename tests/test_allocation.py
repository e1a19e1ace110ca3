"""Freed blocks are kept by the process, so that writing them again takes no new pages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PAGES = """
import resource
import numpy as np
from ghbench.allocation import keep_freed_memory
changed = keep_freed_memory()
def fill():
    np.full(16 * 2**20, 1.0)
fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    fill()
print(changed, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**environment: str) -> tuple[str, int]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", PAGES], env={**kept, **environment}, capture_output=True, text=True, check=True
    )
    changed, pages = done.stdout.split()
    return changed, int(pages)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_blocks_are_written_again_without_new_pages_unless_the_user_has_decided():
    changed, kept = faults()
    if changed == "False":
        pytest.skip("this C library keeps its own thresholds")
    same, mapped = faults(MALLOC_MMAP_THRESHOLD_="131072")
    assert same == "False"
    assert kept * 20 < mapped
