"""Are features made in fast ways still the same? Compared with float32, one image at a time, on real images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ghbench.cores import usable_cores
from ghbench.dataset import Dataset
from ghbench.errors import UsageError
from ghbench.extraction import ExtractionOptions, encode_images, resolve_device
from ghbench.extractor import Encoder, ExtractorSpec, OnDevice, Subject
from ghbench.store import int8_shards
from ghbench.training.machine import native_bf16

ENOUGH = 0.9999
"""Smallest cosine with which features count as the same."""
BATCHES = (8, 32)

Features = Mapping[str, NDArray[np.float32]]


@runtime_checkable
class Rearranged(Protocol):
    """An encoder whose network is changed so that it computes faster, such as by folded batch norms."""

    def plain(self) -> Encoder:
        """The same with the network as it is defined, on the CPU."""
        ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """Features made in a fast way beside those of the reference.

    Args:
        way: What was done differently.
        cosine: The smallest cosine of an image's features, over all images and levels; a row of zeros has 1 with
            another one, and 0 with anything else.
        error: The largest difference of a number, relative to the largest number of its level.
        used: Whether ghbench computes or stores features in this way when it is asked to; the others are for
            comparison.
    """

    way: str
    cosine: float
    error: float
    used: bool

    @property
    def same(self) -> bool:
        """Whether the features count as the same."""
        return self.cosine >= ENOUGH


def compare_fast_paths(extractor: Subject, dataset: Dataset) -> list[Comparison]:
    """Encode images as the reference does, one at a time in float32 with one thread, and in each fast way.

    The reference of an encoder that is `Rearranged` is its network as it is defined.

    Args:
        extractor: Encodes batches.
        dataset: Real images.

    Returns:
        A comparison for each way.

    Raises:
        UsageError: It encodes no images.
    """
    spec = extractor.spec()
    if not isinstance(extractor, Encoder) or not isinstance(spec, ExtractorSpec):
        raise UsageError(f"extractor {spec.name!r} encodes no images")

    def encoded(batch_size: int, device: str = "cpu", by: Encoder = extractor) -> Features:
        options = ExtractionOptions(batch_size=batch_size, workers=0, device=device)
        return encode_images(by, spec, dataset, [level.name for level in spec.levels], options)

    found = []
    with _threads(1):
        if isinstance(extractor, Rearranged):
            reference = encoded(1, by=extractor.plain())
            found.append(_compare("batch norms folded, channels last", reference, encoded(1), used=True))
        else:
            reference = encoded(1)
        found += [_compare(f"batches of {size}", reference, encoded(size), used=True) for size in BATCHES]
    if isinstance(extractor, OnDevice):
        if usable_cores() > 1:
            with _threads(usable_cores()):
                found.append(_compare(f"{usable_cores()} threads", reference, encoded(BATCHES[-1]), used=True))
        if resolve_device("auto") != "cpu":
            device = resolve_device("auto")
            found.append(_compare(f"on {device}", reference, encoded(BATCHES[-1], device), used=True))
            extractor.to("cpu")
        if native_bf16("cpu"):
            with _bfloat16():
                found.append(_compare("bfloat16", reference, encoded(BATCHES[-1]), used=False))
    stores: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
        "float16": lambda values: values.astype(np.float16).astype(np.float32),
        "int8": lambda values: int8_shards.unpack(int8_shards.pack(values)),
    }
    for dtype, kept in stores.items():
        stored = {level: kept(values) for level, values in reference.items()}
        found.append(_compare(f"stored as {dtype}", reference, stored, used=True))
    return found


def _compare(way: str, reference: Features, features: Features, *, used: bool) -> Comparison:
    pairs = [(values.astype(np.float64), features[level].astype(np.float64)) for level, values in reference.items()]
    cosine = min(float(_cosines(first, second).min(initial=1.0)) for first, second in pairs)
    error = max(
        float(np.abs(first - second).max(initial=0.0) / max(np.abs(first).max(initial=0.0), 1e-300))
        for first, second in pairs
    )
    return Comparison(way, cosine, error, used)


def _cosines(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    both_zero = (first == 0).all(axis=1) & (second == 0).all(axis=1)
    products = np.einsum("nd,nd->n", first, second)
    return np.where(both_zero, 1.0, np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0))


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Torch computes with so many threads; one does not wait for others on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _bfloat16() -> Iterator[None]:
    import torch

    with torch.autocast("cpu", torch.bfloat16):
        yield
