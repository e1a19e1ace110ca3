"""What storing features in fewer bits does to scores: each system on ORL in float32, float16 and eight bits."""

from __future__ import annotations

from evaluated import evaluated
from ghbench_tasks.classification.knn import knn
from ghbench_tasks.verification.faces import orl
from record import write

from ghbench.results.scoring import find_value
from ghbench.running.options import StorageDtype
from ghbench.spec_string import parse

SYSTEMS = ("pixels", "hog", "eigenfaces", "mobilenet-v2", "efficientnet-lite0", "dinov2-small", "dlib-face", "ghfeat")
SMALLER: tuple[StorageDtype, ...] = ("float16", "int8")
SCORES = {"accuracy": orl(), "auc": orl(), "top1-k5": knn(parse("orl"))}


def main() -> None:
    """Evaluate every system in every dtype, and write the table."""
    rows, numbers = [], {}
    for system in SYSTEMS:
        whole = {metric: value_of(system, metric, "float32") for metric in SCORES}
        cells = [f"{value:.4f}" for value in whole.values()]
        numbers[f"{system}, float32"] = whole
        for dtype in SMALLER:
            found = {metric: value_of(system, metric, dtype) for metric in SCORES}
            cells += [f"{found[metric] - whole[metric]:+.5f}" for metric in SCORES]
            numbers[f"{system}, {dtype}"] = found
        rows.append([f"`{system}`", *cells])
    furthest = {
        dtype: max(
            abs(numbers[f"{one}, {dtype}"][m] - numbers[f"{one}, float32"][m]) for one in SYSTEMS for m in SCORES
        )
        for dtype in SMALLER
    }
    text = f"""
Verification of all pairs (`ghbench run -t orl --dtype int8`) and five nearest neighbours (`-t knn:dataset=orl`): scores
from features stored in float32, and what fewer bits change. The largest change is {furthest["float16"]:.5f} in float16
and {furthest["int8"]:.5f} in eight bits; one of 400 images is .0025 of `top1-k5`.
"""
    head = ["system", *SCORES, *(f"{metric}, {dtype}" for dtype in SMALLER for metric in SCORES)]
    write("storage_dtypes", "Scores from features in fewer bits", text, head, rows, numbers=numbers)


def value_of(system: str, metric: str, dtype: StorageDtype) -> float:
    """A score of a system whose features are stored so."""
    found = find_value(evaluated(system, SCORES[metric], dtype)[0].metrics, metric, None)
    assert found is not None
    assert found.value is not None
    return found.value


if __name__ == "__main__":
    main()
