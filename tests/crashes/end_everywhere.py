"""End a process, as SIGKILL does, before one of its changes to the disk after the other; run by `test_crash_points`.

    python end_everywhere.py FOLDER POINTS [NAME ...]

POINTS of them for each path, evenly spread; 0 stands for all. Whatever happened before, the same work done again must
leave the same content and nothing temporary.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import sys
from pathlib import Path

import numpy as np
from write_paths import PATHS, left_behind, prepare, served

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
ENDED = 137
NEVER = 2**40
_WRITES = os.O_WRONLY | os.O_RDWR
_counter = mmap.mmap(-1, 8)  # shared with the processes that are forked
_state = {"ends": -1}


def _audit(event, args):
    """Count what changes the disk; end where the count says so."""
    if _state["ends"] >= 0 and (
        event in CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & _WRITES)
    ):
        count = int.from_bytes(_counter[:8])
        if count == _state["ends"]:
            os._exit(ENDED)
        _counter[:8] = (count + 1).to_bytes(8)


def forked(work, folder, ends=NEVER):
    """Exit status of `work` in a process of its own that ends before its change to the disk number `ends`."""
    _counter[:8] = bytes(8)
    child = os.fork()
    if child == 0:
        try:
            _state["ends"] = ends
            work(folder)
        except BaseException as error:  # noqa: BLE001
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def ended_everywhere(name, path, base, points):
    """Number of points at which the process was ended, and of all that there are."""
    base.mkdir(parents=True)
    for folder in ("first", "whole"):  # the first also makes what all share
        assert forked(path.work, base / folder) == 0, name
    reference, total = path.content(base / "whole"), int.from_bytes(_counter[:8])
    chosen = np.unique(np.linspace(0, total - 1, points or total).astype(int))
    for point in chosen:
        folder = base / f"ended-{point}"
        assert forked(path.work, folder, int(point)) == ENDED, (name, point)
        assert path.kept is None or path.kept(folder), (name, point)
        assert forked(path.work, folder) == 0, (name, point)
        if left_behind(folder):  # what is temporary may stay until the next one that writes there
            assert forked(path.work, folder) == 0, (name, point)
        assert path.content(folder) == reference, (name, point)
        assert not left_behind(folder), (name, point, left_behind(folder))
        shutil.rmtree(folder)
    return len(chosen), total


def main(folder, points, names):
    os.environ.update(GHBENCH_CACHE=str(folder / "cache"), GHBENCH_HOME=str(folder / "home"))
    prepare()
    sys.addaudithook(_audit)
    counts = {}
    with served() as asset:
        for name, path in {**PATHS, "asset": asset}.items():
            if not names or name in names:
                counts[name] = ended_everywhere(name, path, folder / name.replace(" ", "-"), points)
    print(json.dumps(counts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
