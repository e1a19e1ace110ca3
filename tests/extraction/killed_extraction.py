"""Extract in forked processes that are killed, group and all, at random moments; run by `test_interruption`.

    python killed_extraction.py FOLDER SEED KILLS

torch is loaded once, before the forks, so that twenty processes cost little.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch.utils.data  # noqa: F401
from tiny_encoder import Encoder, open_features, pictures, run

from ghbench.store import filling

LEVELS = ("low", "high")


class Slow(Encoder):
    def extract(self, images):
        time.sleep(0.003)
        return super().extract(images)


def forked(work):
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            work()
        except BaseException as error:  # noqa: BLE001
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    with contextlib.suppress(PermissionError):  # the child was faster
        os.setpgid(child, child)
    return child


def contents(root, dataset):
    stored = open_features(root, dataset, shard_rows=6)
    return {level: stored.read(level).tobytes() for level in LEVELS}


def main(folder, seed, kills):
    filling.SECONDS = -1  # all of it takes less
    dataset = pictures(folder / "pictures", 60, copies=[(50, 3), (20, 19)])
    dataset.image_digests()
    rng = np.random.default_rng(seed)

    def extract(root, workers):
        return lambda: run(Slow(), dataset, open_features(root, dataset, shard_rows=6), LEVELS, workers=workers)

    began = time.perf_counter()
    extract(folder / "whole", 0)()
    length = time.perf_counter() - began
    reference = contents(folder / "whole", dataset)
    counts = {"killed": 0, "finished": 0, "same": 0, "stores": 0, "partial": 0}
    store = folder / "0"
    while counts["killed"] < kills:
        child = forked(extract(store, counts["killed"] % 2))
        time.sleep(rng.uniform(0, length / 2))
        os.killpg(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
        counts["killed"] += os.WIFSIGNALED(status)
        left = [open_features(store, dataset, shard_rows=6).missing_rows(level) for level in LEVELS]
        counts["partial"] += any(left) and any(len(ranges) < 10 for ranges in left)
        if not any(left) or counts["killed"] == kills:
            _, status = os.waitpid(forked(extract(store, 0)), 0)
            assert status == 0, status
            counts["stores"] += 1
            counts["same"] += contents(store, dataset) == reference
            counts["finished"] += not list(store.rglob("*.tmp"))
            store = folder / str(counts["stores"])
    print(json.dumps({**counts, "length": length}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
