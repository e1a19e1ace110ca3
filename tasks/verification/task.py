"""Face verification: are these two images of one person? The LFW protocol on any pairs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
from ghbench.metrics.verification import COUPLES_A_FAR_NEEDS, Floats, impostor_couples, reportable_fars
from ghbench.task import Evaluation, Metric, Policy, Reference, Role, Score, TaskInputs, Units, View
from ghbench.task_errors import ErrorList

from .pair_sets import PairSet
from .policies import LEARNING_POLICIES, fold_calibrated, vote

FARS = (1e-1, 1e-2, 1e-3)
LFW_CONVENTION = "accuracy[LFW convention]"
REFERENCES = (
    Reference("pixels", "pixels"),
    *(Reference(f"random-trunk{seed}", "untrained network", floor=True) for seed in ("", ":seed=1", ":seed=2")),
)
"""One untrained seed is an anecdote, so three of them stand in every table."""
_ROLE = "pairs"
_NOT_JUDGED = -1
_SHOWN = 5
TIES_THAT_MATTER = 1e-3
"""Share of tied comparisons from which the third digit of AUC is in doubt."""
KEPT = 0.99
"""Share of the different similarities that float32 must keep apart to be good enough for the records."""
NEW_TIES = 1e-5
"""Share of comparisons of a matched with a mismatched pair that records may make equal; AUC changes by half of it."""


@dataclass(frozen=True, eq=False)
class VerificationTask:
    """Decide pairs with a threshold chosen on nine folds, on the tenth.

    Args:
        name: Canonical spec string.
        load_dataset: Gives the images; called when they are needed, raises MissingError.
        load_pairs: Gives the pairs of those images.
        pairs_protocol: What pairs and folds there are, as data; `align` where one alignment is fixed for all.
        main: Name of the metric that ranks.
        folds: Whether a file gives one assignment to folds, over which papers report mean and standard error.
        flip: Whether features are averaged over the image and its mirror image.
        references: Rows that stand in its table.
    """

    name: str
    load_dataset: Callable[[], Dataset]
    load_pairs: Callable[[Dataset], PairSet]
    pairs_protocol: Mapping[str, Any]
    main: str = "accuracy"
    folds: bool = False
    flip: bool = False
    references: tuple[Reference, ...] = REFERENCES
    version: int = field(default=2, init=False)
    requires: tuple[type, ...] = field(default=(Encoder,), init=False)
    compares: bool = field(default=True, init=False)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Those that learn on folds need some."""
        learning: tuple[Policy, ...] = ("vote-z", "fuse", "best") if self.pairs_protocol.get("folds") != 0 else ()
        return ("concat", "vote", *learning)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The one that ranks first."""
        found = [
            Metric(self._metric_name("accuracy")),
            Metric(self._metric_name("auc")),
            Metric(self._metric_name("eer"), higher_is_better=False),
            *(Metric(self._metric_name(_far_name(far))) for far in FARS),
        ]
        found.sort(key=lambda metric: metric.name != self._metric_name(self.main))
        if self.folds:
            convention = "over the folds, by the LFW convention; not an interval to compare systems by"
            found.append(Metric(self._metric_name(LFW_CONVENTION), uncertainty="error", error=convention))
        return tuple(found)

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
            "tar_at_far": f"where FAR x couples of people among the impostor pairs is at least {COUPLES_A_FAR_NEEDS}",
            "policies": "vote-z, fuse and best learn on the nine folds that choose the threshold",
            "policies_that_learn": "with several draws a pair has a similarity for each: only accuracy is reported",
            "units": "people; a mismatched pair weighs the product of its two people",
            "training_overlap": "refuse",
        }

    def roles(self) -> Mapping[str, Role]:
        """The images, under the role `pairs`."""
        views: tuple[View, ...] = ("plain", "flipped") if self.flip else ("plain",)
        return {_ROLE: Role(self.load_dataset(), views=views, annotations_digest=self._pairs.digest())}

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse pairs that cannot be judged, as `--limit` may leave; see `ghbench.task_abilities.Checking`."""
        self._pairs.check()
        self._pairs.among(len(datasets[_ROLE]))

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Decide every pair.

        Returns:
            One record a pair: `left`, `right` (rows of the dataset), `left_person`, `right_person`, `same`,
            `similarity` (NaN where a policy that learns on folds gives one a draw), `draws` (assignments of folds that
            hold the pair), `accepted` (in how many of them it was accepted, -1 where no threshold is chosen), `fold`
            (-1 where there are several assignments).
        """
        dataset = inputs.datasets[_ROLE]
        people = labels(dataset).values
        pairs = self._pairs.among(len(dataset))
        features = {level: self._feature(inputs, level) for level in inputs.levels}
        records = _records(self._judge(inputs, features, pairs), pairs, people)
        return Evaluation(records, notes=(*_tie_notes(records), *_equal_image_notes(dataset, pairs)))

    def chance(self, records: pd.DataFrame) -> float | str:  # noqa: ARG002 - of the contract
        """Half of the pairs, which are as often of one person as of two, or are weighted as if they were."""
        return 0.5

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Accuracy, AUC, EER, TAR at FAR and, where a file gives the folds, mean and standard error over them.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        weight = np.ones(len(records)) if sample_weight is None else sample_weight
        same, draws = records["same"].to_numpy(dtype=np.bool_), _numbers(records, "draws")
        accepted, fold = _numbers(records, "accepted"), records["fold"].to_numpy()
        scores = []
        if _is_judged(records):
            scores.append(Score("accuracy", metrics.balanced_accuracy(accepted, same, draws, weight)))
        if _has_similarity(records):
            curve = metrics.roc(_numbers(records, "similarity"), same, weight * draws)
            scores += [Score("auc", metrics.auc(curve)), Score("eer", metrics.eer(curve))]
            scores += [Score(_far_name(far), metrics.tar_at_far(curve, far)) for far in _reported_fars(records)]
        if self.folds and _is_judged(records):
            rates = [
                metrics.balanced_accuracy(accepted[fold == k], same[fold == k], weight=weight[fold == k])
                for k in np.unique(fold)
            ]
            mean, error = metrics.fold_mean_and_error(np.array(rates))
            scores.append(Score(LFW_CONVENTION, mean, standard_error=error))
        return [Score(self._metric_name(one.metric), one.value, None, one.standard_error) for one in scores]

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], Floats]:
        """The same metrics for every bootstrap draw over people, without a loop over the draws."""
        units = self.units(records)
        assert units.second is not None
        judged = JudgedPairs(
            similarity=_numbers(records, "similarity"),
            same=records["same"].to_numpy(dtype=np.bool_),
            accepted=_numbers(records, "accepted"),
            decided=_numbers(records, "draws"),
            first=units.first,
            second=units.second,
        )
        answers: dict[str | float, Floats] = {}
        if _is_judged(records):
            answers["accuracy"] = accuracy_replicates(judged, multiplicity)
        only_accuracy = metrics is not None and set(metrics) <= {self._metric_name("accuracy")}
        if not only_accuracy and _has_similarity(records):
            answers |= roc_replicates(judged, multiplicity, _reported_fars(records))
        return {(self._metric_name(_far_name(name)), None): values for name, values in answers.items()}

    def units(self, records: pd.DataFrame) -> Units:
        """People: a pair belongs to the people in it."""
        left, right = records["left_person"].to_numpy(), records["right_person"].to_numpy()
        people, code = np.unique(np.concatenate([left, right]), return_inverse=True)
        return Units("people", code[: len(left)], code[len(left) :], len(people), people.tolist())

    def errors(self, records: pd.DataFrame) -> Sequence[ErrorList]:
        """False accepts and false rejects, see `ghbench.task_errors.WithErrors`.

        A pair counts as it was decided in most assignments of folds; without any, by the threshold that is best on all
        pairs. The error is the distance from that threshold, or how often the pair was decided wrongly where it has a
        similarity for each assignment.
        """
        similarity, same = _numbers(records, "similarity"), records["same"].to_numpy(dtype=np.bool_)
        share = _numbers(records, "accepted") / _numbers(records, "draws")
        if _has_similarity(records):
            order = np.argsort(-similarity, kind="stable")
            threshold = metrics.best_threshold(similarity[order], same[order])
            accepted = share > 0.5 if _is_judged(records) else similarity > threshold
            error, what = np.abs(similarity - threshold), f"distance from the threshold of all pairs, {threshold:.4f}"
            shown = {"similarity": similarity}
        else:
            accepted, error, what = share > 0.5, np.where(same, 1 - share, share), "share of wrong decisions"
            shown = {}
        pairs = records[["left", "right"]].to_numpy(dtype=np.int64)
        found = []
        for title, wrong in (("false accepts", accepted & ~same), ("false rejects", ~accepted & same)):
            if wrong.any():
                beside = {name: values[wrong] for name, values in shown.items()}
                found.append(ErrorList(title, what, _ROLE, pairs[wrong], error[wrong], beside))
        return found

    @cached_property
    def _pairs(self) -> PairSet:
        return self.load_pairs(self.load_dataset())

    def _feature(self, inputs: TaskInputs, level: str) -> NDArray[np.floating[Any]]:
        """Features as they are stored; what is computed from them has the digits of float64."""
        views, mean = inputs.features[_ROLE], inputs.extractor_spec.mean
        feature: NDArray[np.floating[Any]] = views["plain"][level]
        if self.flip:
            feature = (feature.astype(np.float64) + views["flipped"][level]) / 2
        return feature if mean is None else feature - np.asarray(mean[level], dtype=np.float64)

    def _judge(
        self, inputs: TaskInputs, features: Mapping[str, NDArray[np.floating[Any]]], pairs: PairSet
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Similarity of each pair (NaN where a policy gives one a draw) and how often it is accepted."""
        kind, policy = inputs.extractor_spec.similarity, inputs.policy
        if policy == "concat" or len(features) == 1:
            parts = list(features.values())
            joined = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
            return _decide(metrics.pair_similarity(joined, pairs.left, pairs.right, kind), pairs)
        levels = np.stack([metrics.pair_similarity(f, pairs.left, pairs.right, kind) for f in features.values()])
        if policy == "vote":
            return _decide(vote(levels), pairs)
        if policy in LEARNING_POLICIES and pairs.draws:
            return _decide_calibrated(policy, levels, pairs)
        raise UsageError(f"policy {policy!r} learns on folds, and {self.name!r} has none", fix="policy=concat or vote")

    def _metric_name(self, metric: str) -> str:
        """Metrics of flip-averaged features have a name of their own, so that nobody compares them with plain ones."""
        return f"{metric}-flip" if self.flip else metric


def _tie_notes(records: pd.DataFrame) -> Iterator[str]:
    """Ties that matter; where there are no similarities, none can be counted."""
    if not _has_similarity(records):
        return
    same = records["same"].to_numpy(dtype=np.bool_)
    share = metrics.tied_share(_numbers(records, "similarity"), same, _numbers(records, "draws"))
    if share > TIES_THAT_MATTER:
        yield (
            f"{100 * share:.2g} % of the comparisons of a matched with a mismatched pair tie: AUC could be "
            f"{share / 2:.2g} higher or lower; features may be too coarse (float16?) or constant"
        )


def _equal_image_notes(dataset: Dataset, pairs: PairSet) -> Iterator[str]:
    """Pairs whose two images are one and the same."""
    number = np.unique(np.asarray(dataset.identities()), return_inverse=True)[1]
    equal = number[pairs.left] == number[pairs.right]
    for kind, chosen in (("matched", equal & pairs.same), ("mismatched", equal & ~pairs.same)):
        found = np.flatnonzero(chosen)
        if len(found):
            names = [f"{dataset.ids[pairs.left[pair]]} and {dataset.ids[pairs.right[pair]]}" for pair in found[:_SHOWN]]
            more = f", {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            yield f"{len(found)} {kind} pairs are of equal images: {', '.join(names)}{more}"


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


def _records(judged: tuple[Floats, NDArray[np.int64]], pairs: PairSet, people: NDArray[np.int64]) -> pd.DataFrame:
    similarity, accepted = judged
    fold = np.full(len(similarity), -1)
    if len(pairs.draws) == 1:
        fold[pairs.draws[0].pairs] = pairs.draws[0].fold
    table = pd.DataFrame(
        {
            "left": pairs.left.astype(np.int32),
            "right": pairs.right.astype(np.int32),
            "left_person": people[pairs.left].astype(np.int32),
            "right_person": people[pairs.right].astype(np.int32),
            "same": pairs.same,
            "similarity": _compact(similarity, pairs.same),
            "draws": _draw_counts(pairs).astype(np.int16),
            "accepted": accepted.astype(np.int16),
            "fold": fold.astype(np.int16),
        }
    )
    # A shortened dataset may leave pairs that no assignment of folds holds.
    return table[table["draws"] > 0].reset_index(drop=True)


def _compact(similarity: Floats, same: NDArray[np.bool_]) -> NDArray[np.floating[Any]]:
    """The same as float32, and of that sixteen significant bits: a record of fewer bytes, equal on more machines.

    More is kept where less makes pairs equal, as it does with cosines of features with a common part.
    """
    known = ~np.isnan(similarity)
    small = similarity.astype(np.float32)
    if len(np.unique(small[known])) < KEPT * len(np.unique(similarity[known])):
        return similarity
    bits = small.view(np.uint32)
    coarse = ((bits.astype(np.uint64) + 0x80) & 0xFFFFFF00).astype(np.uint32).view(np.float32)
    if not (known.any() and same[known].any() and not same[known].all()):
        return small
    tied = [metrics.tied_share(one[known].astype(np.float64), same[known]) for one in (small, coarse)]
    return coarse if tied[1] - tied[0] <= NEW_TIES else small


def _numbers(table: pd.DataFrame, column: str) -> Floats:
    return table[column].to_numpy(dtype=np.float64)


def _has_similarity(table: pd.DataFrame) -> bool:
    """Whether each pair has one similarity; with a policy that learns on folds it has one a draw."""
    return bool(table["similarity"].notna().all())


def _is_judged(table: pd.DataFrame) -> bool:
    return bool((table["accepted"] != _NOT_JUDGED).all())


def _reported_fars(table: pd.DataFrame) -> list[float]:
    """The false accept rates that the couples of people among the impostor pairs can carry."""
    first, second = table["left_person"].to_numpy(), table["right_person"].to_numpy()
    return reportable_fars(FARS, impostor_couples(first, second, table["same"].to_numpy(dtype=np.bool_)))


def _far_name(name: str | float) -> str:
    return name if isinstance(name, str) else f"tar@far={name:.0e}".replace("e-0", "e-")
