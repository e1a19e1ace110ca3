"""Disentanglement: does each number of a code stand for one factor of the images, and each factor for one number?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench import registry
from ghbench.dataset import Dataset
from ghbench.digests import digest_json
from ghbench.errors import DataError, UsageError
from ghbench.extractor import Encoder, SubjectSpec, TrainingRecord
from ghbench.metrics.disentanglement import importance, information, robustness, separation, unsupervised, voting
from ghbench.probes.rows import side_by_side
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Policy, Reference, Role, Score, TaskInputs

TRAIN, TEST = "train", "test"
DEFAULT = SpecString("sprites")
WIDEST, PARTS = 64, 5
"""Most numbers of a code; parts of the test images, whose scores give the standard error."""
TOLD: dict[str, Any] = {"uncertainty": "error", "error": f"over {PARTS} parts of the test images"}
METRICS = (
    Metric("mig", **TOLD),
    Metric("modularity", **TOLD),
    Metric("sap", **TOLD),
    Metric("factor-vae", **TOLD),
    Metric("beta-vae", **TOLD),
    Metric("explicitness", **TOLD),
    Metric("irs", **TOLD),
    Metric("total-correlation", "nats", higher_is_better=False, **{**TOLD, "bounds": None}),
)
DCI = ("dci-disentanglement", "dci-completeness", "dci-informativeness")
IDENTITY, RANDOM = "identity-code", "random-code"
CONSTANTS = (
    Reference(IDENTITY, "ceiling: the factors themselves"),
    Reference(RANDOM, "chance: noise, a number for each factor", floor=True),
)


def disentanglement(dataset: SpecString | None = None, dci: bool | Literal["lgbm"] = False) -> Disentanglement:
    """Compare codes with the true factors of images.

    Args:
        dataset: With a target `factors` of whole numbers, and splits `train` and `test`; `sprites` by default.
        dci: Whether to fit boosted trees for DCI: `true` for scikit-learn's, which take minutes, `lgbm` for LightGBM's.
    """
    return Disentanglement(dataset or DEFAULT, dci)


@dataclass(frozen=True)
class KnownCode:
    """A reference row that looks at no image; satisfies `ghbench.extractor.Subject`.

    Args:
        name: `identity-code` or `random-code`.
    """

    name: str

    def spec(self) -> SubjectSpec:
        """Describe it."""
        return SubjectSpec(
            name=self.name, version="1", weights_digest=digest_json(["disentanglement", self.name]),
            training=TrainingRecord(), licence="none needed: nothing was trained",
        )  # fmt: skip

    def codes(self, factors: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        """Codes [N, K] of factors [N, K]."""
        values = factors if self.name == IDENTITY else rng.standard_normal(factors.shape)
        return values.astype(np.float32)


@dataclass(frozen=True)
class Disentanglement:
    """See `disentanglement`; satisfies `ghbench.task.Task`.

    Args:
        source: Spec string of the dataset.
        dci: Whether DCI is measured, and by which trees.
    """

    source: SpecString = DEFAULT
    dci: bool | Literal["lgbm"] = False
    version: int = field(default=3, init=False)
    requires: tuple[type, ...] = field(default=(Encoder,), init=False)
    policies: tuple[Policy, ...] = field(default=("concat",), init=False)
    references: tuple[Reference, ...] = field(
        default=(Reference("thumbnail:size=4", "16 grey pixels", floor=True), *CONSTANTS), init=False
    )

    fitted: frozenset[str] = field(default=frozenset({"beta-vae", "explicitness"}), init=False)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """MIG ranks nothing by itself: standard errors are of one training."""
        return (*METRICS, *(Metric(name, uncertainty="none") for name in self._dci))

    @property
    def _dci(self) -> tuple[str, ...]:
        """Names of DCI's metrics; other trees, other numbers."""
        return tuple(name if self.dci is True else f"{name}[{self.dci}]" for name in DCI) if self.dci else ()

    @property
    def name(self) -> str:
        """Canonical spec string."""
        own = {} if self.source == DEFAULT else self.source.nested("dataset")
        return str(
            SpecString("disentanglement", options={**own, **({"dci": str(self.dci).lower()} if self.dci else {})})
        )

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            "kind": "disentanglement",
            "dataset": self.source.name,
            "code": f"all levels, at most {WIDEST} numbers",
            "bins": information.BINS,
            "votes": "10,000 and 5,000 of 64 images, drawn from the test images with seed 0",
            "learned from": "the training images: explicitness and DCI",
            "tuned": "nothing",
            "training_overlap": "flag",
        }

    def roles(self) -> Mapping[str, Role]:
        """Training and test images."""
        dataset = self.dataset
        missing = {TRAIN, TEST} - set(dataset.splits)
        if missing:
            raise UsageError(f"{self.source.name} has no split {' and '.join(sorted(missing))}")
        return {TRAIN: Role(dataset, TRAIN, judged=False), TEST: Role(dataset, TEST)}

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse images whose factors are not known, see `ghbench.task_abilities.Checking`."""
        if _varying([_factors(dataset) for dataset in datasets.values()]).sum() < 2:
            raise DataError(f"fewer than two factors of {self.source.name!r} vary, so none can be told apart")

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Put codes and factors side by side.

        Returns:
            One record an image: whether it is a `test` image, its factors `factor-0` and so on, numbers from 0, and its
            code `code-0` and so on.

        Raises:
            UsageError: The code is too wide.
        """
        parts, known = [], {role: _factors(inputs.datasets[role]) for role in (TRAIN, TEST)}
        varying = _varying(list(known.values()))
        least = np.min([factors.min(axis=0) for factors in known.values()], axis=0)
        for stream, role in enumerate((TRAIN, TEST)):
            factors = (known[role] - least)[:, varying]
            if isinstance(inputs.subject, KnownCode):
                code = inputs.subject.codes(factors, inputs.context.rng(stream))
            else:
                code = side_by_side(inputs.features[role]["plain"], inputs.levels)
            if code.shape[1] > WIDEST:
                raise UsageError(
                    f"the code has {code.shape[1]} numbers; disentanglement is asked of {WIDEST} at most",
                    fix="choose levels: level=...",
                )
            # Two sprites may be alike; the row tells their records apart.
            rows = np.arange(len(code), dtype=np.int32)
            frame = pd.DataFrame({"test": np.full(len(code), role == TEST), "row": rows})
            for number, column in enumerate(factors.T):
                frame[f"factor-{number}"] = column.astype(np.int16)
            for number, column in enumerate(code.T):
                frame[f"code-{number}"] = column
            parts.append(frame)
        constant = int((~varying).sum())
        notes = (f"factors that never vary, and are left out: {constant}",) if constant else ()
        return Evaluation(pd.concat(parts, ignore_index=True), notes=notes)

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """All metrics, of all test images, with the standard error of a mean over parts of them.

        Args:
            records: What `evaluate` returned.
            sample_weight: Whole numbers [N], how often each record counts; None for once.
        """
        if sample_weight is not None:
            records = records.loc[np.repeat(records.index, np.asarray(sample_weight).astype(np.int64))]
        tables = []
        for part in (records[~records["test"]], records[records["test"]]):
            names = [[str(name) for name in part if str(name).startswith(kind)] for kind in ("code-", "factor-")]
            tables += [part[names[0]].to_numpy(np.float64), part[names[1]].to_numpy(np.int64)]
        known, known_factors, codes, factors = tables
        learned = separation.Explicit.fit(known, known_factors)
        whole = all_scores(learned, codes, factors)
        some = np.random.default_rng(0).permutation(len(codes)) % PARTS  # rows may be in the order of their factors
        each = [all_scores(learned, codes[some == part], factors[some == part], seed=part + 1) for part in range(PARTS)]
        with np.errstate(invalid="ignore"):  # codes that are functions of one another have no finite correlation
            spreads = {name: np.std([one[name] for one in each], ddof=1) / np.sqrt(PARTS) for name in whole}
        found = [Score(name, value, standard_error=float(spreads[name])) for name, value in whole.items()]
        if self.dci:
            fit = importance.dci_boosted if self.dci is True else importance.dci_lgbm
            trees = fit(known, known_factors, codes, factors)
            values = trees.disentanglement, trees.completeness, trees.informativeness
            found += [Score(name, value) for name, value in zip(self._dci, values, strict=True)]
        return found

    def constant(self, name: str) -> KnownCode | None:
        """The rows that look at no image, see `ghbench.task_abilities.WithConstants`."""
        return KnownCode(name) if name in {IDENTITY, RANDOM} else None

    @cached_property
    def dataset(self) -> Dataset:
        """The images."""
        return cast("Dataset", registry.build("dataset", self.source))


def _factors(dataset: Dataset) -> NDArray[np.int64]:
    """Factors [N, K] as whole numbers.

    Raises:
        DataError: There are none, or they are not whole numbers.
    """
    target = dataset.targets.get("factors")
    if target is None or target.values.ndim != 2 or not np.issubdtype(target.values.dtype, np.integer):
        raise DataError(f"{dataset.card().name} has no target `factors` of whole numbers [N, K]")
    return np.asarray(target.values, np.int64)


def _varying(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Which factors vary in each of some images [N, K]: bool [K]."""
    return np.asarray(np.all([np.ptp(factors, axis=0) > 0 for factors in parts], axis=0))


def all_scores(
    learned: separation.Explicit, codes: NDArray[np.float64], factors: NDArray[np.int64], seed: int = 0
) -> dict[str, float]:
    """All metrics but DCI, by name.

    Args:
        learned: What explicitness has learned from other images.
        codes: [N, d].
        factors: [N, K], numbers from 0.
        seed: Of the votes.
    """
    varying = codes.std(axis=0) > 0
    known_of_factors = information.mutual_information(information.discretised(codes), factors)
    correlation = unsupervised.total_correlation(codes[:, varying]) if varying.sum() > 1 else 0.0
    return {
        "mig": information.information_gap(known_of_factors, factors),
        "modularity": information.modularity(known_of_factors),
        "sap": separation.sap_continuous(codes, factors),
        "factor-vae": voting.factor_vae(codes, factors, seed=seed),
        "beta-vae": voting.beta_vae(codes, factors, seed=seed),
        "explicitness": learned.area(codes, factors),
        "irs": robustness.irs(codes, factors),
        "total-correlation": correlation,
    }
