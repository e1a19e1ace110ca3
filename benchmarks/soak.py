"""Two hundred runs in one process: does its memory grow, does it keep files open?

Each evaluates anew; every tenth also encodes the images anew, in a store of its own, by turns without torch and by a
network whose images another process prepares.
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

RUNS, WARM, EVERY = 200, 40, 10
EXTRACTORS, TASK = ("thumbnail", "random-trunk"), "knn:dataset=digits,test=400"
WORKERS = (0, 1)
"""Processes that prepare the images of each of them."""


def main() -> None:
    """Run, measure and write the table."""
    folder = Path(tempfile.mkdtemp(prefix="ghbench-soak-"))
    os.environ.update(GHBENCH_HOME=str(folder / "home"), GHBENCH_CACHE=str(folder / "cache"))
    import ghbench
    from ghbench.extraction import ExtractionOptions
    from ghbench.running.options import RunOptions
    from ghbench.store import FeatureStore

    me, measured, values = psutil.Process(), [], {name: set() for name in EXTRACTORS}
    for number in range(1, RUNS + 1):
        store = FeatureStore(folder / (f"store-{number}" if number % 10 == 0 else "store"))
        turn = number // 10 % len(EXTRACTORS)
        extraction = ExtractionOptions(workers=WORKERS[turn], device="cpu")
        result = ghbench.run(EXTRACTORS[turn], TASK, RunOptions(overwrite=True, store=store, extraction=extraction))
        values[EXTRACTORS[turn]].add(result.metrics[0].value)
        if number % 10 == 0:
            shutil.rmtree(store.root)
        if number % EVERY == 0:
            gc.collect()
            running = threading.active_count(), len(me.children(recursive=True))
            measured.append((number, me.memory_info().rss / 2**20, me.num_fds(), *running))
            print(measured[-1], flush=True)
    shutil.rmtree(folder)
    warm = [one for one in measured if one[0] >= WARM]
    growth = (warm[-1][1] - warm[0][1]) / (warm[-1][0] - warm[0][0])
    opened = warm[-1][2] - warm[0][2]
    text = f"""
`{"` and `".join(EXTRACTORS)}` on `{TASK}`, ten runs each by turns, {RUNS} in one process, each scored with its
bootstrap. Of ten runs the first encodes the images anew, those of the second extractor by torch and prepared by another
process. From run {WARM} on, resident memory changed by {1024 * growth:+.0f} KB a run, open files by {opened:+d}.
Different scores of each: {" and ".join(str(len(found)) for found in values.values())}.
"""
    rows = [[str(number), f"{memory:.0f} MB", *map(str, others)] for number, memory, *others in measured]
    head = ["runs", "resident memory", "open files", "threads", "processes"]
    write("soak", "Many runs in one process", text, head, rows, measured=measured)


if __name__ == "__main__":
    main()
