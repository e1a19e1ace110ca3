"""Was the extractor shaped by what it is scored on? By dataset name, by image digest, by network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ghbench.dataset import Dataset
from ghbench.errors import ProtocolError
from ghbench.extractor import ExtractorSpec

UNCHECKED = "not checked"
_CONSEQUENCES = {"refuse", "flag"}


def check_overlap(spec: ExtractorSpec, datasets: Iterable[Dataset], protocol: Mapping[str, Any]) -> str:
    """Compare an extractor's training record with the evaluated images and with the networks of the metrics.

    Args:
        spec: The extractor's spec.
        datasets: What it is evaluated on.
        protocol: The task's protocol: `training_overlap` is `refuse` or `flag`; `metric_networks`, if given, are the
            weights digests of networks that compute metrics.

    Returns:
        What is known of the overlap, in a sentence.

    Raises:
        ProtocolError: There is overlap and the protocol refuses it, or a network would judge its own pupil.
    """
    judges = set(protocol.get("metric_networks", ())) & {spec.weights_digest, *spec.training.networks}
    if judges:
        raise ProtocolError(
            f"a network that computes a metric of this task shaped extractor {spec.name!r}; it cannot also judge it"
        )
    evaluated = list(datasets)
    found = [text for dataset in evaluated if (text := _overlap(spec, dataset))]
    if not found:
        return _nothing_found(spec, named=all(dataset.card().named for dataset in evaluated))
    consequence = protocol.get("training_overlap", "refuse")
    if consequence not in _CONSEQUENCES:
        raise ProtocolError(f"training_overlap is {consequence!r} in the task's protocol; expected refuse or flag")
    if consequence == "refuse":
        raise ProtocolError(f"the task refuses extractor {spec.name!r}: {'; '.join(found)}")
    return "; ".join(found)


def _overlap(spec: ExtractorSpec, dataset: Dataset) -> str | None:
    card = dataset.card()
    named = set(spec.training.datasets) & {card.name, *card.related} if card.named else set()
    if named:
        return f"it learned from {', '.join(sorted(named))}, which shares images or people with {card.name}"
    shared = (spec.training.image_digests or frozenset()) & set(dataset.image_digests())
    return f"{len(shared)} images of {card.name} are among its training images" if shared else None


def _nothing_found(spec: ExtractorSpec, *, named: bool) -> str:
    if spec.training.supervision == "none":
        return "none: untrained"
    if spec.training.image_digests is None and not named:
        return f"{UNCHECKED}: neither the training images nor the evaluated ones have a name to go by"
    if spec.training.image_digests is None:
        return "none by name of dataset; the training images are not listed, so not checked image by image"
    return "none by name of dataset and by image"
