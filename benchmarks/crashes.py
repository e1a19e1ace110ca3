"""Crashes on every path that writes: kills at random moments, full and read-only disks, wrong clocks, rivals.

    python benchmarks/crashes.py [--kills 25] [--seed 0] [PATH ...]

Rows of paths that are not named stay as they are in the table. Full and read-only disks are small tmpfs mounts, which
need root; without it they are counted as not tried.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
from record import RESULTS, write

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "crashes"))
from write_paths import PATHS, WritePath, left_behind, prepare, served

from ghbench.errors import UserError, disk_error

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
FULL, RIVALS, CLOCKS = 4, (2, 8), (-10, 10)
TRIES = 5
"""Kills for each one that should come before the work is done."""
YEAR = 365 * 24 * 3600
DONE, TOLD, BUG, INTERRUPTED = 0, 3, 1, 130
PATIENCE = 300.0
"""Seconds after which a process that does not end counts as stuck, for instance at a lock."""


def forked(work, folder: Path) -> int:
    """A process of its own, in a group of its own, that does the work."""
    child = os.fork()
    if child == 0:
        code = DONE
        try:
            os.setpgid(0, 0)
            work(folder)
        except KeyboardInterrupt:
            code = INTERRUPTED
        except UserError as error:
            print(f"told: {error.message[:160]}", file=sys.stderr, flush=True)
            code = TOLD
        except OSError as error:
            code = BUG if disk_error(error) is None else TOLD  # what the command line says of it
        except BaseException as error:  # noqa: BLE001
            print(f"bug: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            code = BUG
        os._exit(code)
    with suppress(PermissionError, ProcessLookupError):
        os.setpgid(child, child)
    return child


def ended(child: int) -> int:
    """Exit status of a process; a stuck one is killed and counts as a bug."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return BUG


class Trials:
    """All trials on one path.

    Args:
        path: What is written.
        base: A folder for them.
        rng: Where the moments come from.
    """

    def __init__(self, path: WritePath, base: Path, rng: np.random.Generator) -> None:
        self.path, self.base, self.rng = path, base, rng
        self.counts: Counter[str] = Counter()
        base.mkdir(parents=True)
        ended(forked(path.work, base / "first"))
        began = time.perf_counter()
        assert ended(forked(path.work, base / "whole")) == DONE
        self.length = time.perf_counter() - began
        self.reference = path.content(base / "whole")

    def kills(self, number: int) -> None:
        """Kill at random moments, until so many have come before the end of the work; then work on."""
        while self.counts["kills in the work"] < number and self.counts["kills"] < TRIES * number:
            trial = self.counts["kills"]
            folder = self.base / f"killed-{trial}"
            child = forked(self.path.work, folder)
            time.sleep(self.rng.uniform(0, self.length))
            with suppress(ProcessLookupError):
                os.kill(child, SIGNALS[trial % len(SIGNALS)])  # it alone: its workers must leave by themselves
            status = ended(child)
            self.counts["kills"] += 1
            self.counts["kills in the work"] += status != DONE
            self._works_on("kills", folder)

    def clocks(self) -> None:
        """All files are years old, or from the future, after a kill."""
        for number, years in enumerate(CLOCKS):
            folder = self.base / f"clock-{number}"
            child = forked(self.path.work, folder)
            time.sleep(self.rng.uniform(0.2, 0.9) * self.length)
            os.killpg(child, signal.SIGKILL)
            ended(child)
            for path in folder.rglob("*"):
                os.utime(path, times=(time.time() + years * YEAR,) * 2, follow_symlinks=False)
            self.counts["clocks"] += 1
            self._works_on("clocks", folder)

    def rivals(self) -> None:
        """Several processes at once: the content is that of one, and who cannot take part is told so."""
        for number in RIVALS:
            self.counts["rivals"] += 1
            folder = self.base / f"rivals-{number}"
            statuses = [ended(child) for child in [forked(self.path.work, folder) for _ in range(number)]]
            allowed = {DONE, TOLD} if self.path.alone else {DONE}
            if not set(statuses) <= allowed or DONE not in statuses:
                self.counts["failed"] += 1
                print(f"failed: {number} at once ended with {statuses}", file=sys.stderr)
            self._works_on(f"{number} at once", folder)

    def disks(self) -> None:
        """A disk that is full at a random size, and then has room; one that is read-only, and then is not."""
        need = sum(-(-path.stat().st_size // 4096) for path in (self.base / "whole").rglob("*") if path.is_file())
        for trial in range(FULL + 1):
            folder = self.base / f"disk-{trial}"
            folder.mkdir()
            read_only = trial == FULL
            pages = int(self.rng.integers(2, max(need, 3)))
            size = "size=64m,ro" if read_only else f"size={4 * pages}k"
            if subprocess.run(
                ["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=False, capture_output=True
            ).returncode:
                self.counts["disks not tried"] += 1
                continue
            try:
                status = ended(forked(self.path.work, folder / "x"))
                kind = "read-only disks" if read_only else "full disks"
                self.counts[kind] += 1
                self.counts[f"{kind}, told"] += status == TOLD
                if status not in {DONE, TOLD}:
                    self.counts["failed"] += 1
                    print(f"failed: {kind} ended with {status}", file=sys.stderr)
                subprocess.run(["mount", "-o", "remount,rw,size=64m", folder], check=True)
                self._works_on(kind, folder / "x")
            finally:
                subprocess.run(["umount", "-l", folder], check=True)

    def _works_on(self, after: str, folder: Path) -> None:
        statuses = [ended(forked(self.path.work, folder))]
        if left_behind(folder):
            statuses.append(ended(forked(self.path.work, folder)))
        wrong = [f"ended with {status}" for status in statuses if status != DONE]
        if not wrong:
            wrong += ["another content"] if self.path.content(folder) != self.reference else []
            wrong += [f"left {path.relative_to(folder)}" for path in left_behind(folder)]
        self.counts["restarts"] += 1
        self.counts["same"] += not wrong
        if wrong:
            print(f"failed after {after}: {'; '.join(wrong)}", file=sys.stderr, flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Try everything and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("paths", nargs="*", metavar="PATH", help="for instance 'feature store'; all by default")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ghbench-crashes-"))
    os.environ.update(GHBENCH_CACHE=str(folder / "cache"), GHBENCH_HOME=str(folder / "home"))
    prepare()
    kept = RESULTS / "crashes.json"
    found: dict[str, dict[str, int]] = json.loads(kept.read_text())["counts"] if given.paths and kept.exists() else {}
    rng = np.random.default_rng(given.seed)
    with served() as asset:
        for name, path in {**PATHS, "asset": asset}.items():
            if given.paths and name not in given.paths:
                continue
            trials = Trials(path, folder / name.replace(" ", "-"), rng)
            trials.kills(given.kills)
            trials.clocks()
            trials.rivals()
            trials.disks()
            found[name] = dict(trials.counts)
            print(f"{name}: {found[name]}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    columns = {
        "kills": "kills", "in the work": "kills in the work", "clocks": "clocks", "rivals": "rivals",
        "full disks": "full disks", "told": "full disks, told", "read-only": "read-only disks", "restarts": "restarts",
        "same in the end": "same",
    }  # fmt: skip
    rows = [[name, *(str(counts.get(key, 0)) for key in columns.values())] for name, counts in found.items()]
    failed = sum(counts.get("failed", 0) + counts["restarts"] - counts["same"] for counts in found.values())
    text = f"""
*Kills*: SIGKILL, SIGTERM and SIGINT in turn, at moments drawn from the length of the work; *in the work* those that
came before it was done. *Clocks*: every file's time is ten years ago, or ten years ahead, after a kill. *Rivals*: two
and eight processes that do the same in the same folder at once. *Full disks* have a random size of at most what the
finished work takes; *told*: the process said so, and did not crash. Then there is room again, or the disk can be
written to. *Same in the end*: the work done again ends within {PATIENCE:.0f} s with the content of an undisturbed one,
and leaves no temporary file. Trials that failed: {failed}.
"""
    title = "Crashes on every path that writes"
    write("crashes", title, text, ["path", *columns], rows, counts=found, failed=failed)


if __name__ == "__main__":
    main()
