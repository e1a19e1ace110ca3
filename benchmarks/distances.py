"""Distances and similarities against independent programs on the same features, in one table: values and time.

Programs that are not installed are left out: torch-fidelity, clean-fid, prdc, ckatorch with seaborn (`pip install
--no-deps` is enough). The features are those of `efficientnet-lite0` and, for CKA, of `pixels:size=16`: garments of
Fashion-MNIST and images that our small StyleGAN2 draws. Only features are compared: no Inception network is needed.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from ghbench_baselines.vision_models import import_torchvision
from record import interleaved_seconds, write
from scipy import linalg, stats
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

from ghbench.analysis.sources import concatenate_levels, encode, load_images
from ghbench.data.subset import Subset
from ghbench.metrics import frechet, precision_recall, similarity

IMAGES, REPEATS = 1_500, 3
Row = tuple[str, str, float, float, float]
Call = Callable[[], float]
Comparison = tuple[str, Call, dict[str, Call | None]]
"""Name of a number, our way, other programs' ways; None for those that are not installed."""


def main() -> None:
    """Compute everything in every way and write it down."""
    garments = load_images("fashion-mnist")
    rows = np.random.default_rng(0).choice(garments.splits["test"], IMAGES, replace=False)
    dataset, drawn = Subset(garments, np.sort(rows)), load_images("stylegan2-fashion32", count=IMAGES)
    real, fake = (concatenate_levels(encode("efficientnet-lite0", one)) for one in (dataset, drawn))
    other = concatenate_levels(encode("pixels:size=16", dataset))
    table: list[Row] = []
    for metric, ours, peers in (*_distances(real, fake), *_neighbourhoods(real, fake), *_encoders(real, other)):
        present = {name: call for name, call in peers.items() if call is not None}
        calls: dict[str, Call] = {"ghbench": ours, **present}
        values = {name: call() for name, call in calls.items()}
        seconds = interleaved_seconds(calls, REPEATS)
        for name in present:
            ratio = seconds[name] / seconds["ghbench"]
            table.append((metric, name, values["ghbench"], values[name], ratio))
            print(metric, name, values["ghbench"], values[name], f"{ratio:.2f}", flush=True)
    _write(table, real.shape[1], other.shape[1])


def _distances(real: Any, fake: Any) -> list[Comparison]:
    import torch

    tensors = torch.from_numpy(real), torch.from_numpy(fake)
    fid, kid, clean = map(_peer, ("torch_fidelity.metric_fid", "torch_fidelity.metric_kid", "cleanfid.fid"))
    width = real.shape[1]

    def torch_fidelity_fid() -> float:
        moments = [fid.fid_features_to_statistics(one) for one in tensors]
        return fid.fid_statistics_to_metric(*moments, verbose=False)["frechet_inception_distance"]

    def torch_fidelity_kid() -> float:
        options = {"kid_subsets": 1, "kid_subset_size": IMAGES, "kid_kernel": "poly", "kid_kernel_poly_degree": 3}
        more = {"kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1, "rng_seed": 0, "verbose": False}
        return kid.kid_features_to_metric(*tensors, **options, **more)["kernel_inception_distance_mean"]

    def scipy_fid() -> float:
        (mean, one), (other, two) = frechet.moments(real), frechet.moments(fake)
        return float(np.sum((mean - other) ** 2) + np.trace(one + two) - 2 * np.trace(linalg.sqrtm(one @ two)).real)

    def sklearn_kid() -> float:
        def off_diagonal(rows: Any) -> float:
            kernel = polynomial_kernel(rows, degree=3, gamma=1 / width, coef0=1)
            return (kernel.sum() - np.trace(kernel)) / (len(rows) * (len(rows) - 1))

        between = polynomial_kernel(real, fake, degree=3, gamma=1 / width, coef0=1).mean()
        return float(off_diagonal(real) + off_diagonal(fake) - 2 * between)

    return [
        (
            "Frechet distance",
            lambda: frechet.frechet_distance(real, fake),
            {
                "torch-fidelity": fid and torch_fidelity_fid,
                "clean-fid": clean and (lambda: float(clean.fid_from_feats(real, fake))),
                "scipy.linalg.sqrtm": scipy_fid,
            },
        ),
        (
            "kernel distance, all images",
            lambda: frechet.kernel_distance(real, fake),
            {
                "torch-fidelity": kid and torch_fidelity_kid,
                "clean-fid": clean and (lambda: clean.kernel_distance(fake, real, 1, IMAGES)),
                "scikit-learn": sklearn_kid,
            },
        ),
    ]


def _neighbourhoods(real: Any, fake: Any) -> list[Comparison]:
    import torch

    tensors = torch.from_numpy(real), torch.from_numpy(fake)
    prc, prdc = _peer("torch_fidelity.metric_prc"), _peer("prdc")
    found: list[Comparison] = []

    def torch_fidelity_prc(which: str) -> float:
        options = {"prc_neighborhood": 3, "prc_batch_size": 10_000, "save_cpu_ram": False, "verbose": False}
        return prc.prc_features_to_metric(tensors[1], tensors[0], **options)[which]

    def prdc_of(which: str) -> float:
        with contextlib.redirect_stdout(io.StringIO()):
            return float(prdc.compute_prdc(real, fake, 5)[which])

    def ours(which: str, k: int) -> float:
        return precision_recall.precision_recall(real, fake, k, k)[which]

    for which in ("precision", "recall"):
        peers = {"torch-fidelity": prc and (lambda which=which: torch_fidelity_prc(which))}
        found.append((f"{which}, k = 3", lambda which=which: ours(which, 3), peers))
    for which in precision_recall.NAMES:
        peers = {"prdc": prdc and (lambda which=which: prdc_of(which))}
        found.append((f"{which}, k = 5", lambda which=which: ours(which, 5), peers))
    return found


def _encoders(one: Any, two: Any) -> list[Comparison]:
    import torch

    core, group = _peer("ckatorch.core"), np.zeros(len(one), dtype=np.int64)
    batches = [torch.from_numpy(part).reshape(IMAGES // 250, 250, -1) for part in (one, two)]

    def neighbours(features: Any) -> Any:
        return NearestNeighbors(n_neighbors=10, metric="cosine").fit(features).kneighbors(return_distance=False)

    def sklearn_mutual() -> float:
        both = zip(neighbours(one), neighbours(two), strict=True)
        return float(np.mean([len(set(a) & set(b)) / 10 for a, b in both]))

    def scipy_rsa() -> float:
        return float(stats.spearmanr(pdist(one, "correlation"), pdist(two, "correlation")).statistic)

    return [
        (
            "linear CKA, unbiased",
            lambda: similarity.cka(one, two),
            {
                "ckatorch": core
                and (lambda: core.cka_batch(torch.from_numpy(one)[None], torch.from_numpy(two)[None]).item()),
                "definition on the kernel matrices": lambda: _hsic_cka(one, two),
            },
        ),
        (
            "linear CKA, batches of 250",
            lambda: similarity.cka(one, two, batch=250),
            {"ckatorch": core and (lambda: core.cka_batch(*batches).item())},
        ),
        (
            "RSA, Spearman",
            lambda: float(similarity.rsa_replicates([one], [two], group)[0].squeeze()),
            {"scipy": scipy_rsa},
        ),
        (
            "mutual k-NN, k = 10",
            lambda: float(similarity.mutual_knn_replicates([one], [two], group)[0].squeeze()),
            {"scikit-learn": sklearn_mutual},
        ),
    ]


def _hsic_cka(one: Any, two: Any) -> float:
    """CKA by Song's equation 5 on whole kernel matrices."""
    kernels = [part @ part.T for part in (one - one.mean(axis=0), two - two.mean(axis=0))]
    for kernel in kernels:
        np.fill_diagonal(kernel, 0)
    n, ones = len(one), np.ones(len(one))

    def hsic(k: Any, q: Any) -> float:
        product = k @ q
        middle = (ones @ k @ ones) * (ones @ q @ ones) / ((n - 1) * (n - 2))
        return (np.trace(product) + middle - 2 / (n - 2) * (ones @ product @ ones)) / (n * (n - 3))

    return float(hsic(*kernels) / np.sqrt(hsic(kernels[0], kernels[0]) * hsic(kernels[1], kernels[1])))


def _peer(module: str) -> Any:
    """A module of another program; None where it is not installed."""
    import_torchvision()  # where torchvision's compiled operators do not fit torch, the peers could not import it
    try:
        return importlib.import_module(module)
    except ImportError as error:
        print(f"{module} is left out: {error}")
        return None


def _write(table: list[Row], width: int, other: int) -> None:
    rows, last = [], ""
    for metric, name, ours, theirs, ratio in table:
        shown = [metric, f"{ours:.10g}"] if metric != last else ["", ""]
        rows.append([*shown, name, f"{theirs:.10g}", f"{theirs - ours:.1e}", f"{ratio:.1f}"])
        last = metric
    versions = []
    for name in ("torch-fidelity", "clean-fid", "prdc", "ckatorch", "scipy", "scikit-learn"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{name} {importlib.metadata.version(name)}")
    text = f"""
{IMAGES:,} test images of Fashion-MNIST (real) against as many of stylegan2-fashion32 (fake), {width:,} features of
efficientnet-lite0; CKA, RSA and mutual k-NN between these and the {other:,} numbers of pixels:size=16 on the real
images. All programs get the same float64 arrays. Times are medians of {REPEATS} calls that take turns; precision,
recall, density and coverage come from one call, which is timed for each of them. torch-fidelity averages in float32.

{", ".join(versions)}.
"""
    write(
        "distances",
        "Distances and similarities against other programs",
        text,
        ["number", "ghbench", "other program", "its value", "difference", "its time / ours"],
        rows,
        comparisons=[dict(zip(("metric", "peer", "ours", "theirs", "time_ratio"), row, strict=True)) for row in table],
        images=IMAGES,
        versions=versions,
    )


if __name__ == "__main__":
    main()
