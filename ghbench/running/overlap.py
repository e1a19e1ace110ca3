"""Was the subject shaped by what it is scored on? By dataset name and split, by image digest, by network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ghbench.dataset import Dataset
from ghbench.errors import ProtocolError
from ghbench.extractor import SubjectSpec

UNCHECKED = "not checked"
_CONSEQUENCES = {"refuse", "flag"}


def check_overlap(spec: SubjectSpec, judged: Iterable[tuple[Dataset, str | None]], protocol: Mapping[str, Any]) -> str:
    """Compare a training record with the images that the subject is judged on and with the networks of the metrics.

    Args:
        spec: The subject's spec.
        judged: Datasets that it is scored on, and the name of the split where only one is used.
        protocol: The task's protocol: `training_overlap` is `refuse` or `flag`; `metric_networks`, if given, are the
            weights digests of networks that compute metrics.

    Returns:
        What is known of the overlap, in a sentence.

    Raises:
        ProtocolError: There is overlap and the protocol refuses it, or a network would judge what it taught.
    """
    if set(protocol.get("metric_networks", ())) & {spec.weights_digest, *spec.training.networks}:
        raise ProtocolError(
            f"a network that computes a metric of this task shaped {spec.name!r}; it cannot also judge it"
        )
    evaluated = list(judged)
    found = [text for dataset, split in evaluated if (text := _overlap(spec, dataset, split))]
    if not found:
        return _nothing_found(spec, named=all(dataset.card().named for dataset, _ in evaluated))
    consequence = protocol.get("training_overlap", "refuse")
    if consequence not in _CONSEQUENCES:
        raise ProtocolError(f"training_overlap is {consequence!r} in the task's protocol; expected refuse or flag")
    if consequence == "refuse":
        raise ProtocolError(f"the task refuses {spec.name!r}: {'; '.join(found)}")
    return "; ".join(found)


def _overlap(spec: SubjectSpec, dataset: Dataset, split: str | None) -> str | None:
    card = dataset.card()
    here = {card.name, *card.related} if card.named else set()
    named = [seen for seen in spec.training.datasets if _shares(seen, here, split)]
    if named:
        return f"it learned from {', '.join(sorted(named))}, which shares images or people with {card.name}"
    listed = spec.training.image_digests
    shared = listed & {*dataset.identities(), *dataset.image_digests()} if listed else frozenset()
    return f"{len(shared)} images of {card.name} are among its training images" if shared else None


def _shares(seen: str, here: set[str], split: str | None) -> bool:
    """Whether a dataset of the training record, `NAME` or `NAME#SPLIT`, may share images with the judged rows."""
    name, _, seen_split = seen.partition("#")
    return name in here and not (seen_split and split and seen_split != split)


def _nothing_found(spec: SubjectSpec, *, named: bool) -> str:
    if spec.training.supervision == "none":
        return "none: untrained"
    if spec.training.image_digests is None and not named:
        return f"{UNCHECKED}: neither the training images nor the evaluated ones have a name to go by"
    if spec.training.image_digests is None:
        return "none by name of dataset; the training images are not listed, so not checked image by image"
    return "none by name of dataset and by image"
