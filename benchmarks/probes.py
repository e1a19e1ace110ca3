"""Linear and nearest-neighbour probes beside scikit-learn's, over the same strengths, to the same objective.

`make bench-probes` runs it without OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE: OpenBLAS chooses its kernels for both sides.
"""

from __future__ import annotations

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
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7)
SIZES, WIDTH, PART = (100_000, 1_000_000), 256, 50_000
"""Rows of the files that are read in pieces, their numbers a row, and rows that are made at once."""

Lesson = tuple[np.ndarray, np.ndarray]


def main() -> None:
    """Measure and write the table."""
    numbers: dict[str, object] = {}
    rows = [row for case in CASES for row in (*logistic(*case, numbers), neighbours(*case, numbers))]
    rows += [from_file(size, numbers) for size in SIZES]
    kernels = {f"{one['internal_api']} {one.get('architecture')}" for one in threadpool_info() if "blas" in str(one)}
    text = f"""
Logistic regression over the same {len(STRENGTHS)} L2 strengths from {STRENGTHS[0]:g} to {STRENGTHS[-1]:g}, on {CLASSES}
classes whose clouds overlap, features standardised. Scikit-learn's `LogisticRegression` (lbfgs) runs with the loosest
`tol` of {", ".join(f"{one:g}" for one in TOLERANCES)} at which its objective is nowhere more than {EQUAL:g} nats above
ours, or with the strictest; the last column says how far above ours its objectives end, at least and at most. With
*warm start* it passes its weights from the strongest penalty to the weakest. *Times faster* is scikit-learn's time
over ours.

Kernels: {", ".join(sorted(kernels))}.
"""
    head = ["work", "ghbench", "scikit-learn", "times faster", ""]
    write("probes", "Probes beside scikit-learn", text, head, rows, numbers=numbers)


def logistic(count: int, width: int, numbers: dict[str, object]) -> list[list[str]]:
    """Rows of the table: all strengths, against refitting and against warm starts."""
    features, classes = lesson(count, width)
    ours, path = timed(lambda: fit_logistic(features, classes, CLASSES))
    exact = np.array([
        objective(features, classes, path.weights[place].astype(np.float64), path.bias[place], strength)
        for place, strength in enumerate(STRENGTHS)
    ])  # fmt: skip
    rows = []
    for warm, how in ((False, "refitted"), (True, "warm start")):
        for tolerance in TOLERANCES:
            theirs, objectives = timed(lambda tol=tolerance, warm=warm: sweep(features, classes, tol, warm=warm))
            above = objectives - exact
            if above.max() <= EQUAL:
                break
        numbers[f"logistic {count}x{width}, {how}"] = {
            "ghbench": ours, "scikit-learn": theirs, "tol": tolerance, "above": above.tolist()
        }  # fmt: skip
        told = f"{above.min():+.0e} to {above.max():+.0e} nats at tol {tolerance:g}"
        rows.append(
            [f"logistic, {count:,} x {width}, {how}", f"{ours:.1f} s", f"{theirs:.1f} s", f"{theirs / ours:.1f}", told]
        )
    return rows


def neighbours(count: int, width: int, numbers: dict[str, object]) -> list[str]:
    """A row of the table: the vote of the nearest."""
    (features, classes), (queries, _) = lesson(count, width), lesson(QUERIES, width, seed=1)
    ours, _ = timed(lambda: majority(classes[nearest(queries, features, NEIGHBOURS, "l2")[0]], CLASSES))
    model = KNeighborsClassifier(NEIGHBOURS, algorithm="brute")
    theirs, _ = timed(lambda: model.fit(features, classes).predict(queries))
    # Votes differ where classes have as many: the neighbours are compared.
    rows = nearest(queries, features, NEIGHBOURS, "l2")[0], model.kneighbors(queries, return_distance=False)
    equal = float((np.sort(rows[0], axis=1) == np.sort(rows[1], axis=1)).mean())
    numbers[f"neighbours {count}x{width}"] = {"ghbench": ours, "scikit-learn": theirs, "equal": equal}
    what = f"{NEIGHBOURS} neighbours of {QUERIES:,} among {count:,} x {width}"
    return [what, f"{ours:.2f} s", f"{theirs:.2f} s", f"{theirs / ours:.1f}", f"{equal:.2%} equal neighbours"]


def from_file(count: int, numbers: dict[str, object]) -> list[str]:
    """A row of the table: a process of its own that reads a file of float16."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.npy"
        features = np.lib.format.open_memmap(path, "w+", np.float16, (count, WIDTH))
        for start in range(0, count, PART):
            features[start : start + PART] = lesson(PART, WIDTH, seed=start + 2)[0]
        features.flush()
        del features
        command = [sys.executable, __file__, str(path)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds, memory = map(float, done.stdout.split())
    numbers[f"from a file {count}x{WIDTH}"] = {"seconds": seconds, "gigabytes": memory}
    what = f"logistic, and {NEIGHBOURS} neighbours of 200, {count:,} x {WIDTH} float16 from a file"
    return [what, f"{seconds:.0f} s", "", "", f"{memory:.2f} GB resident at most"]


def lesson(rows: int, width: int, seed: int = 0) -> Lesson:
    """Overlapping clouds with a falling spectrum, standardised: float32 [N, D], and their classes int64 [N]."""
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


def sweep(features: np.ndarray, classes: np.ndarray, tolerance: float, *, warm: bool) -> np.ndarray:
    """Objectives of scikit-learn's classifiers at all strengths."""
    model, found = LogisticRegression(max_iter=20_000, tol=tolerance, warm_start=warm), []
    for strength in sorted(STRENGTHS, reverse=True):
        model.set_params(C=1 / (strength * len(classes))).fit(features, classes)
        found.append(objective(features, classes, model.coef_.T.astype(np.float64), model.intercept_, strength))
    return np.array(found[::-1])


def objective(
    features: np.ndarray, classes: np.ndarray, weights: np.ndarray, bias: np.ndarray, strength: float
) -> float:
    """Mean cross-entropy + strength / 2 * |weights|^2, in float64."""
    logits = features @ weights + bias
    largest = logits.max(axis=1)
    entropy = np.log(np.exp(logits - largest[:, None]).sum(axis=1)) + largest
    return float((entropy - logits[np.arange(len(classes)), classes]).mean() + strength / 2 * np.square(weights).sum())


def child(path: str) -> None:
    """What `from_file` measures: print seconds, and gigabytes at most."""
    features = np.load(path, mmap_mode="r")
    classes = np.concatenate([lesson(PART, WIDTH, seed=start + 2)[1] for start in range(0, len(features), PART)])
    began = time.perf_counter()
    fit_logistic(features, classes, CLASSES)
    nearest(np.asarray(features[:200]), features, NEIGHBOURS)
    print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


if __name__ == "__main__":
    child(sys.argv[1]) if len(sys.argv) > 1 else main()
