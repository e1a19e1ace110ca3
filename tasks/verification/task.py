"""Face verification: are these two images of one person? The LFW protocol on any pairs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import Dataset, labels
from ghbench.errors import UsageError
from ghbench.extractor import Encoder
from ghbench.metrics import verification as metrics
from ghbench.metrics.people_bootstrap import JudgedPairs, accuracy_replicates, roc_replicates
from ghbench.metrics.verification import IMPOSTORS_A_FAR_NEEDS, Floats
from ghbench.task import Role, Score, TaskInputs, Units, View

from .pair_sets import PairSet
from .policies import LEARNING_POLICIES, fold_calibrated, vote

FARS = (1e-1, 1e-2, 1e-3)
_ROLE = "pairs"
_NOT_JUDGED = -1


@dataclass(frozen=True, eq=False)
class VerificationTask:
    """Decide pairs with a threshold chosen on nine folds, on the tenth.

    Args:
        name: Canonical spec string.
        load_dataset: Gives the images; called when they are needed, raises MissingError.
        load_pairs: Gives the pairs of those images.
        pairs_protocol: What pairs and folds there are, as data.
        references: Rows that stand in every table of the task.
        untrained: The untrained network among them; one seed is an anecdote, so three of them stand there.
        main_metric: The metric that ranks.
        flip: Whether features are averaged over the image and its mirror image.
    """

    name: str
    load_dataset: Callable[[], Dataset]
    load_pairs: Callable[[Dataset], PairSet]
    pairs_protocol: Mapping[str, Any]
    references: tuple[str, ...] = ("pixels", "random-trunk", "random-trunk:seed=1", "random-trunk:seed=2")
    untrained: str = "random-trunk"
    main_metric: str = "accuracy"
    flip: bool = False
    version: int = field(default=1, init=False)
    requires: tuple[type, ...] = field(default=(Encoder,), init=False)

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            "kind": "verification",
            **self.pairs_protocol,
            "threshold": "highest balanced accuracy on the other folds, the strictest of several, exact mid-points",
            "accuracy": "mean of matched and mismatched rate of the out-of-fold decisions, pooled over folds and draws",
            "similarity": "as the extractor declares: cosine, or negated L2 distance",
            "centring": "by the training mean that the extractor's spec carries; none, then not centred",
            "views": ["plain", "flipped"] if self.flip else ["plain"],
            "tar_at_far": f"reported where FAR x impostor pairs is at least {IMPOSTORS_A_FAR_NEEDS}",
            "policies": "vote-z, fuse and best learn on the nine folds that choose the threshold",
            "policies_that_learn": "with several draws a pair has a similarity for each: only accuracy is reported",
            "interval": "95 % percentile bootstrap over people; a mismatched pair weighs the product of its two people",
            "training_overlap": "refuse",
        }

    def datasets(self) -> Mapping[str, Role]:
        """The images, under the role `pairs`."""
        views: tuple[View, ...] = ("plain", "flipped") if self.flip else ("plain",)
        return {_ROLE: Role(self.load_dataset(), views, self._pairs.digest())}

    def evaluate(self, inputs: TaskInputs, rng: np.random.Generator) -> pd.DataFrame:  # noqa: ARG002
        """Decide every pair.

        Returns:
            One record a pair (and a level, under the policy `each`): `level`, `left`, `right` (rows of the dataset),
            `left_person`, `right_person`, `same`, `similarity` (NaN where a policy that learns on folds gives one a
            draw), `draws` (assignments of folds that hold the pair),
            `accepted` (in how many of them it was accepted, -1 where no threshold is chosen), `fold` (-1 where there
            are several assignments).

        Raises:
            UsageError: A policy that learns on folds was asked of a task without folds.
        """
        dataset = inputs.datasets[_ROLE]
        pairs = self._pairs.among(len(dataset))
        if inputs.policy in LEARNING_POLICIES and not pairs.draws:
            raise UsageError(
                f"policy {inputs.policy!r} learns on folds, and {self.name!r} has none", fix="policy=concat or vote"
            )
        if inputs.policy == "each":
            parts = [
                _records(
                    level, self._judge("concat", {level: self._feature(inputs, level)}, inputs, pairs), pairs, dataset
                )
                for level in inputs.levels
            ]
            return pd.concat(parts, ignore_index=True)
        features = {level: self._feature(inputs, level) for level in inputs.levels}
        return _records(None, self._judge(inputs.policy, features, inputs, pairs), pairs, dataset)

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Accuracy, AUC, EER, TAR at FAR and, where a file gives the folds, mean and standard error over them.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        scores: list[Score] = []
        for level, rows in _by_level(records):
            table = records.iloc[rows]
            weight = np.ones(len(rows)) if sample_weight is None else sample_weight[rows]
            scores += self._score_one(level, table, weight)
        return scores

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], Floats]:
        """The same metrics for every bootstrap draw over people, without a loop over the draws."""
        units = self.units(records)
        assert units.second is not None
        only_accuracy = metrics is not None and set(metrics) <= {self._named("accuracy")}
        answers: dict[tuple[str, str | None], Floats] = {}
        for level, rows in _by_level(records):
            table = records.iloc[rows]
            judged = JudgedPairs(
                similarity=_numbers(table, "similarity"),
                same=table["same"].to_numpy(dtype=np.bool_),
                accepted=_numbers(table, "accepted"),
                decided=_numbers(table, "draws"),
                first=units.first[rows],
                second=units.second[rows],
            )
            if _is_judged(table):
                answers[self._named("accuracy"), level] = accuracy_replicates(judged, multiplicity)
            if only_accuracy or not _has_similarity(table):
                continue
            for name, values in roc_replicates(judged, multiplicity, _reported_fars(table)).items():
                answers[self._named(_far_name(name)), level] = values
        return answers

    def units(self, records: pd.DataFrame) -> Units:
        """People: a pair belongs to the people in it."""
        left, right = records["left_person"].to_numpy(), records["right_person"].to_numpy()
        people, code = np.unique(np.concatenate([left, right]), return_inverse=True)
        return Units("people", code[: len(left)], code[len(left) :], len(people))

    @cached_property
    def _pairs(self) -> PairSet:
        return self.load_pairs(self.load_dataset())

    def _feature(self, inputs: TaskInputs, level: str) -> NDArray[np.float32]:
        views = inputs.features[_ROLE]
        feature: NDArray[np.float32] = np.asarray(views["plain"][level])
        if self.flip:
            feature = (feature + views["flipped"][level]) / np.float32(2)
        return feature if inputs.spec.mean is None else feature - inputs.spec.mean[level]

    def _judge(
        self, policy: str, features: Mapping[str, NDArray[np.float32]], inputs: TaskInputs, pairs: PairSet
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Similarity of each pair (NaN where a policy gives one a draw) and how often it is accepted."""
        kind = inputs.spec.similarity
        if policy == "concat" or len(features) == 1:
            parts = list(features.values())
            joined = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
            return _decide(metrics.pair_similarity(joined, pairs.left, pairs.right, kind), pairs)
        levels = np.stack([metrics.pair_similarity(f, pairs.left, pairs.right, kind) for f in features.values()])
        if policy == "vote":
            return _decide(vote(levels), pairs)
        return _decide_calibrated(policy, levels, pairs)

    def _score_one(self, level: str | None, table: pd.DataFrame, weight: NDArray[np.float64]) -> list[Score]:
        same, draws = table["same"].to_numpy(dtype=np.bool_), _numbers(table, "draws")
        scores = []
        if _is_judged(table):
            accepted = _numbers(table, "accepted")
            accuracy = metrics.balanced_accuracy(accepted, same, draws, weight)
            scores.append(Score(self._named("accuracy"), accuracy, level=level))
        if _has_similarity(table):
            curve = metrics.roc(_numbers(table, "similarity"), same, weight * draws)
            scores += [
                Score(self._named("auc"), metrics.auc(curve), level=level),
                Score(self._named("eer"), metrics.eer(curve), higher_is_better=False, level=level),
            ]
            for far in _reported_fars(table):
                scores.append(Score(self._named(_far_name(far)), metrics.tar_at_far(curve, far), level=level))
        fold = table["fold"].to_numpy()
        if _is_judged(table) and fold.min() >= 0:
            rates = [
                metrics.balanced_accuracy(accepted[fold == k], same[fold == k], weight=weight[fold == k])
                for k in np.unique(fold)
            ]
            mean, error = metrics.fold_mean_and_error(np.array(rates))
            scores.append(Score(self._named("accuracy[LFW convention]"), mean, level=level, standard_error=error))
        return scores

    def _named(self, metric: str) -> str:
        """Metrics of flip-averaged features have a name of their own, so that nobody compares them with plain ones."""
        return f"{metric}-flip" if self.flip else metric


def _decide(similarity: Floats, pairs: PairSet) -> tuple[Floats, NDArray[np.int64]]:
    if not pairs.draws:
        return similarity, np.full(len(similarity), _NOT_JUDGED)
    accepted = np.zeros(len(similarity), dtype=np.int64)
    for draw in pairs.draws:
        decisions = metrics.fold_decisions(similarity[draw.pairs], pairs.same[draw.pairs], draw.fold)
        accepted[draw.pairs] += decisions.accepted
    return similarity, accepted


def _decide_calibrated(policy: str, levels: Floats, pairs: PairSet) -> tuple[Floats, NDArray[np.int64]]:
    similarity = np.full(levels.shape[1], np.nan)
    accepted = np.zeros(levels.shape[1], dtype=np.int64)
    for draw in pairs.draws:
        same = pairs.same[draw.pairs]
        calibrated = fold_calibrated(policy, levels[:, draw.pairs], same, draw.fold)
        accepted[draw.pairs] += metrics.fold_decisions(calibrated, same, draw.fold).accepted
        if len(pairs.draws) == 1:
            # With more draws a pair has as many similarities; their mean would be an ensemble that nobody asked for,
            # of more members for matched than for mismatched pairs.
            similarity[draw.pairs] = calibrated[draw.fold, np.arange(len(draw.pairs))]
    return similarity, accepted


def _draw_counts(pairs: PairSet) -> NDArray[np.int64]:
    if not pairs.draws:
        return np.ones(len(pairs.left), dtype=np.int64)
    taking_part = np.concatenate([draw.pairs for draw in pairs.draws])
    return np.bincount(taking_part, minlength=len(pairs.left))


def _records(
    level: str | None, judged: tuple[Floats, NDArray[np.int64]], pairs: PairSet, dataset: Dataset
) -> pd.DataFrame:
    people = labels(dataset).values.astype(np.int32)
    similarity, accepted = judged
    fold = np.full(len(similarity), -1)
    if len(pairs.draws) == 1:
        fold[pairs.draws[0].pairs] = pairs.draws[0].fold
    table = pd.DataFrame(
        {
            "level": pd.Categorical([level] * len(similarity)),
            "left": pairs.left.astype(np.int32),
            "right": pairs.right.astype(np.int32),
            "left_person": people[pairs.left],
            "right_person": people[pairs.right],
            "same": pairs.same,
            "similarity": similarity.astype(np.float32),
            "draws": _draw_counts(pairs).astype(np.int16),
            "accepted": accepted.astype(np.int16),
            "fold": fold.astype(np.int16),
        }
    )
    # A shortened dataset may leave pairs that no assignment of folds holds.
    return table[table["draws"] > 0].reset_index(drop=True)


def _by_level(records: pd.DataFrame) -> list[tuple[str | None, NDArray[np.intp]]]:
    codes = pd.Categorical(records["level"])
    if not len(codes.categories):
        return [(None, np.arange(len(records)))]
    order = pd.unique(records["level"])
    return [(str(level), np.flatnonzero(records["level"] == level)) for level in order]


def _numbers(table: pd.DataFrame, column: str) -> Floats:
    return table[column].to_numpy(dtype=np.float64)


def _has_similarity(table: pd.DataFrame) -> bool:
    """Whether each pair has one similarity; with a policy that learns on folds it has one a draw."""
    return bool(table["similarity"].notna().all())


def _is_judged(table: pd.DataFrame) -> bool:
    return bool((table["accepted"] != _NOT_JUDGED).all())


def _reported_fars(table: pd.DataFrame) -> list[float]:
    """The false accept rates that the number of impostor pairs can carry."""
    draws = _numbers(table, "draws")
    impostors = draws[~table["same"].to_numpy(dtype=np.bool_)].sum() / draws.max()
    return [far for far in FARS if far * impostors >= IMPOSTORS_A_FAR_NEEDS]


def _far_name(name: str | float) -> str:
    return name if isinstance(name, str) else f"tar@far={name:.0e}".replace("e-0", "e-")
