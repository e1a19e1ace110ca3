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
    if not evaluated:
        return f"{UNCHECKED}: no images are judged"
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
    related = {card.name, *card.related} if card.named else set()
    # Another split of this very dataset is excused; nothing is known of the splits of related ones.
    excused = {f"{card.name}#{other}" for other in dataset.splits if split is not None and other != split}
    named = [seen for seen in spec.training.datasets if seen.partition("#")[0] in related and seen not in excused]
    if named:
        return f"it learned from {', '.join(sorted(set(named)))}, which shares images or people with {card.name}"
    listed = spec.training.image_digests
    shared = listed & {*dataset.identities(), *dataset.image_digests()} if listed else frozenset()
    return f"{len(shared)} images of {card.name} are among its training images" if shared else None


def _nothing_found(spec: SubjectSpec, *, named: bool) -> str:
    if spec.training.supervision == "none":
        return "none: untrained"
    listed = bool(spec.training.image_digests)  # what learned saw images, so an empty list is no list
    if not listed and not named:
        return f"{UNCHECKED}: neither the training images nor the evaluated ones have a name to go by"
    if not listed:
        return "none by name of dataset; the training images are not listed, so not checked image by image"
    return "none by name of dataset and by image"
