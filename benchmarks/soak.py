"""Two hundred runs in one process: does its memory grow, does it keep files open?

Each evaluates anew; every tenth also encodes the images anew, in a store of its own.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import threading
from pathlib import Path

import psutil
from record import write

RUNS, WARM, EVERY = 200, 40, 20
EXTRACTOR, TASK = "thumbnail", "knn:dataset=digits"


def main() -> None:
    """Run, measure and write the table."""
    folder = Path(tempfile.mkdtemp(prefix="ghbench-soak-"))
    os.environ.update(GHBENCH_HOME=str(folder / "home"), GHBENCH_CACHE=str(folder / "cache"))
    import ghbench
    from ghbench.extraction import ExtractionOptions
    from ghbench.running.options import RunOptions
    from ghbench.store import FeatureStore

    me, measured, values = psutil.Process(), [], set()
    for number in range(1, RUNS + 1):
        store = FeatureStore(folder / (f"store-{number}" if number % 10 == 0 else "store"))
        options = RunOptions(overwrite=True, store=store, extraction=ExtractionOptions(workers=0, device="cpu"))
        result = ghbench.run(EXTRACTOR, TASK, options)
        values.add(result.metrics[0].value)
        if number % 10 == 0:
            shutil.rmtree(store.root)
        if number % EVERY == 0:
            gc.collect()
            measured.append((number, me.memory_info().rss / 2**20, me.num_fds(), threading.active_count()))
            print(measured[-1], flush=True)
    shutil.rmtree(folder)
    warm = [one for one in measured if one[0] >= WARM]
    growth = (warm[-1][1] - warm[0][1]) / (warm[-1][0] - warm[0][0])
    opened = warm[-1][2] - warm[0][2]
    text = f"""
`{EXTRACTOR}` on `{TASK}`, {RUNS} runs in one process, each scored with its bootstrap. From run {WARM} on, resident
memory changed by {1024 * growth:+.0f} KB a run, open files by {opened:+d}. Different scores: {len(values)}.
"""
    rows = [[str(number), f"{memory:.0f} MB", str(files), str(threads)] for number, memory, files, threads in measured]
    head = ["runs", "resident memory", "open files", "threads"]
    write("soak", "Many runs in one process", text, head, rows, measured=measured)


if __name__ == "__main__":
    main()
