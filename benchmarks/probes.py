"""Linear and nearest-neighbour probes beside scikit-learn's, over the same strengths, to the same objective.

The kernels of OpenBLAS are left to it on both sides: OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are unset.
"""

from __future__ import annotations

import os

for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from record import write
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_info

from ghbench.probes.knn import majority, nearest
from ghbench.probes.logistic import STRENGTHS, fit_logistic

CASES = ((6_000, 512), (60_000, 256))
CLASSES, NEIGHBOURS, QUERIES = 10, 5, 2_000
EQUAL = 1e-4
"""Nats by which an objective may be above the other's and still count as equal."""
LARGE, WIDTH = 1_000_000, 256
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7)


def main() -> None:
    """Measure and write the table."""
    rows, numbers = [], {}
    for count, width in CASES:
        features, classes = lesson(count, width)
        ours, path = timed(lambda: fit_logistic(features, classes, CLASSES))
        peers = {}
        for warm in (False, True):
            seconds, tolerance, gap = equal_peer(features, classes, path.losses, warm)
            peers["warm start" if warm else "refitted"] = {"seconds": seconds, "tol": tolerance, "above": gap}
            name = f"logistic, {count:,} x {width}, scikit-learn {'with warm start' if warm else 'refitted'}"
            rows.append(
                [
                    name,
                    f"{ours:.1f} s",
                    f"{seconds:.1f} s",
                    f"{seconds / ours:.1f}",
                    f"{gap:+.0e} nats at tol {tolerance:g}",
                ]
            )
        numbers[f"{count}x{width}"] = {"ours": ours, "peers": peers, "passes": path.passes.tolist()}
        queries = lesson(QUERIES, width, seed=1)[0]
        mine, found = timed(lambda: majority(classes[nearest(queries, features, NEIGHBOURS, "l2")[0]], CLASSES))
        other, answer = timed(
            lambda: KNeighborsClassifier(NEIGHBOURS, algorithm="brute").fit(features, classes).predict(queries)
        )
        same = float((found == answer).mean())
        rows.append(
            [
                f"{NEIGHBOURS} neighbours of {QUERIES:,} among {count:,} x {width}",
                f"{mine:.2f} s",
                f"{other:.2f} s",
                f"{other / mine:.1f}",
                f"{same:.2%} equal answers",
            ]
        )
        numbers[f"knn {count}x{width}"] = {"ours": mine, "scikit-learn": other, "equal": same}
    growth = {size: whole_process(size) for size in (LARGE // 10, LARGE)}
    for size, (seconds, memory) in growth.items():
        rows.append(
            [
                f"logistic and neighbours, {size:,} x {WIDTH} float16 from a file",
                f"{seconds:.0f} s",
                "",
                "",
                f"{memory:.2f} GB resident at most",
            ]
        )
    numbers["growth"] = {str(size): list(found) for size, found in growth.items()}
    kernels = ", ".join(
        sorted(
            {
                f"{one['internal_api']} {one.get('architecture')}"
                for one in threadpool_info()
                if one["user_api"] == "blas"
            }
        )
    )
    text = f"""
Logistic regression over the same {len(STRENGTHS)} L2 strengths from {STRENGTHS[0]:g} to {STRENGTHS[-1]:g}, {CLASSES} classes whose clouds
overlap, features standardised. Scikit-learn's `LogisticRegression` (lbfgs) runs with the loosest `tol` of {", ".join(f"{one:g}" for one in TOLERANCES)} whose
objective is nowhere more than {EQUAL:g} nats above ours, and with the strictest if none is; the last column says how far above it ends. *Warm start*
passes its weights from the strongest penalty to the weakest. The third column is scikit-learn's time over ours. BLAS: {kernels}.
"""
    write(
        "probes",
        "Probes beside scikit-learn",
        text,
        ["work", "ghbench", "scikit-learn", "times faster", ""],
        rows,
        numbers=numbers,
    )


def lesson(rows: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping clouds of classes with a falling spectrum, standardised: float32 [N, D], int64 [N]."""
    fixed, draw = np.random.default_rng(99), np.random.default_rng(seed)
    centres = 0.15 * fixed.normal(size=(CLASSES, width))
    mixing = fixed.normal(size=(width, width)) / np.sqrt(width) * np.geomspace(3, 0.1, width)
    classes = draw.integers(0, CLASSES, rows)
    features = (centres[classes] + draw.normal(size=(rows, width))) @ mixing
    return ((features - features.mean(axis=0)) / features.std(axis=0)).astype(np.float32), classes


def timed(call: Callable[[], object]):
    """Seconds, and what the call returned."""
    began = time.perf_counter()
    found = call()
    return time.perf_counter() - began, found


def equal_peer(features: np.ndarray, classes: np.ndarray, losses: np.ndarray, warm: bool) -> tuple[float, float, float]:
    """Seconds of scikit-learn at the loosest tolerance that reaches our objective, that tolerance, and the gap."""
    for tolerance in TOLERANCES:
        seconds, objectives = timed(lambda: sweep(features, classes, tolerance, warm))  # noqa: B023
        gap = float((objectives - losses).max())
        if gap <= EQUAL:
            break
    return seconds, tolerance, gap


def sweep(features: np.ndarray, classes: np.ndarray, tolerance: float, warm: bool) -> np.ndarray:
    """Objectives of scikit-learn's classifiers at all strengths."""
    model, found = None, {}
    for strength in sorted(STRENGTHS, reverse=True):
        inverse = 1 / (strength * len(classes))
        if model is None or not warm:
            model = LogisticRegression(max_iter=20_000, tol=tolerance, warm_start=warm)
        model.set_params(C=inverse).fit(features, classes)
        logits = features @ model.coef_.T.astype(np.float64) + model.intercept_
        largest = logits.max(axis=1)
        sums = np.log(np.exp(logits - largest[:, None]).sum(axis=1)) + largest
        found[strength] = (sums - logits[np.arange(len(classes)), classes]).mean() + strength / 2 * np.square(
            model.coef_
        ).sum()
    return np.array([found[strength] for strength in STRENGTHS])


def whole_process(rows: int) -> tuple[float, float]:
    """Seconds and gigabytes of a process that fits and searches rows of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.npy"
        features = np.lib.format.open_memmap(path, "w+", np.float16, (rows, WIDTH))
        for start in range(0, rows, 50_000):
            features[start : start + 50_000] = lesson(50_000, WIDTH, seed=start + 2)[0][: rows - start]
        features.flush()
        del features
        done = subprocess.run(
            [sys.executable, __file__, "child", str(path)], check=True, capture_output=True, text=True
        )
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def child(path: str) -> None:
    """What `whole_process` measures."""
    features = np.load(path, mmap_mode="r")
    classes = np.concatenate([lesson(50_000, WIDTH, seed=start + 2)[1] for start in range(0, len(features), 50_000)])
    classes = classes[: len(features)]
    began = time.perf_counter()
    fit_logistic(features, classes, CLASSES)
    nearest(np.asarray(features[:200]), features, NEIGHBOURS)
    print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


if __name__ == "__main__":
    child(sys.argv[2]) if sys.argv[1:2] == ["child"] else main()
