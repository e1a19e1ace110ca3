"""The local engine: resumable at the next missing shard, each different image of a shard encoded once."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ghbench.cores import cores_for_batches
from ghbench.dataset import Dataset, Drawn
from ghbench.errors import UsageError, UserError
from ghbench.extraction.finish import finish_level
from ghbench.extraction.loader import Batch, batches
from ghbench.extraction.plan import EncodedShard, Plan, Shard, ShardEncoder, commit_shard, plan_extraction
from ghbench.extraction.precision import full_float32
from ghbench.extraction.target import FeatureTarget
from ghbench.extractor import Concurrent, Encoder, ExtractorSpec, OnDevice
from ghbench.progress import Progress, silent

DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")


@dataclass(frozen=True, slots=True)
class ExtractionOptions:
    """How extraction runs; nothing here changes a feature.

    Args:
        batch_size: Images a batch; halved when memory runs out.
        workers: Decoding processes; None: as many as help.
        device: `cpu`, `cuda`, ... or `auto`.
        progress: Called with (images done, images in all, label).
        engine: `local`, or `ray` for actors on a cluster.
        address: Of the cluster, as `ray.init` knows it; empty for one on this machine that ends with the work.
        actors: Processes of the cluster; None: as many as there is room for.

    Raises:
        UsageError: The local engine was given what is of a cluster, or there is no device of that name.
    """

    batch_size: int = 32
    workers: int | None = None
    device: str = "auto"
    progress: Progress = silent
    engine: Literal["local", "ray"] = "local"
    address: str = ""
    actors: int | None = None

    def __post_init__(self) -> None:
        if self.engine == "local" and (self.address or self.actors is not None):
            raise UsageError("the local engine has neither address nor actors", fix="--engine ray")
        if not re.fullmatch(r"[a-z]+(:\d+)?", self.device) or self.device.partition(":")[0] not in DEVICES:
            raise UsageError(
                f"there is no device {self.device!r}", fix=f"--device {DEVICES[0]}; known: {', '.join(DEVICES)}, cuda:1"
            )


def extract_features(
    extractor: Encoder,
    spec: ExtractorSpec,
    dataset: Dataset,
    stored: FeatureTarget,
    levels: Sequence[str],
    align: str,
    options: ExtractionOptions | None = None,
) -> int:
    """Fill the store with the levels of a dataset that are missing there.

    Two processes on one key do the work once: the second waits, and finds it done.

    Args:
        extractor: Encodes batches.
        spec: Its spec.
        dataset: Images.
        stored: Where the features go; its key says which view.
        levels: Names of levels wanted.
        align: Name of the alignment.
        options: How to run.

    Returns:
        Number of images encoded, 0 where nothing was missing.

    Raises:
        FeatureError: The features are unusable.
        PluginError: The extractor raised an error.
    """
    options = options or ExtractionOptions()
    with stored.writing():
        plan = plan_extraction(spec, dataset, stored, levels, align, options.batch_size)
        encoded = 0
        if plan.shards:
            if isinstance(dataset, Drawn):
                # Before there are workers, which could only draw the same images several times.
                dataset.draw([row for shard in plan.shards for row in shard.rows], options.progress)
            with closing(_encoded(extractor, plan, stored, options)) as shards:
                for made in shards:
                    commit_shard(stored, made)
                    encoded += made.encoded
        for level in plan.levels:
            finish_level(stored, level, spec.name, dataset)
        return encoded


def _encoded(
    extractor: Encoder, plan: Plan, stored: FeatureTarget, options: ExtractionOptions
) -> Generator[EncodedShard, None, None]:
    """Shards of a plan, encoded here or by actors; those that actors have stored themselves come without features."""
    if options.engine == "ray":
        from ghbench.extraction.actors import shards_by_actors

        threads = _threads(extractor, options) if isinstance(extractor, OnDevice) else 0
        yield from shards_by_actors(extractor, plan, options, threads, stored if stored.everywhere else None)
        return
    yield from _encoded_here(extractor, plan, options)


def _encoded_here(extractor: Encoder, plan: Plan, options: ExtractionOptions) -> Generator[EncodedShard, None, None]:
    """Shards of a plan, encoded by this process."""
    move(extractor, plan.spec.name, options.device)
    with (
        closing(_shards_with_batches(plan, options)) as prepared,
        cores_for_batches(concurrent=_is_concurrent(extractor, options)) as at_once,
        full_float32(),
    ):
        encoder = ShardEncoder(extractor, plan, at_once)
        for shard, shard_batches in prepared:
            yield encoder.encode(shard, shard_batches)


def _is_concurrent(extractor: Encoder, options: ExtractionOptions) -> bool:
    """Whether several batches are computed at once: on the CPU, where the extractor says that it gains from that."""
    on_cpu = not isinstance(extractor, OnDevice) or resolve_device(options.device) == "cpu"
    return on_cpu and isinstance(extractor, Concurrent) and extractor.concurrent


def _threads(extractor: Encoder, options: ExtractionOptions) -> int:
    """Threads with which torch computes a batch here, so that an actor elsewhere does the same sums."""
    import torch

    with cores_for_batches(concurrent=_is_concurrent(extractor, options)):
        return torch.get_num_threads()


def encode_images(
    extractor: Encoder,
    spec: ExtractorSpec,
    dataset: Dataset,
    levels: Sequence[str] | None = None,
    options: ExtractionOptions | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Features that are forgotten afterwards; images are aligned and resized as the extractor declares.

    Args:
        extractor: Encodes batches.
        spec: Its spec.
        dataset: Images.
        levels: Names of levels, None for the default ones.
        options: How to run.

    Returns:
        By level float32 [N, D].

    Raises:
        FeatureError: The features are unusable.
        PluginError: The extractor raised an error.
    """
    options = options or ExtractionOptions()
    wanted = spec.default_levels if levels is None else tuple(levels)
    rows = np.arange(len(dataset))
    shard = Shard(0, tuple(rows.tolist()), rows, wanted)
    plan = Plan(
        dataset,
        spec,
        spec.preprocessing.align,
        mirrored=False,
        batch_size=options.batch_size,
        levels=wanted,
        shards=(shard,),
    )
    with closing(_encoded_here(extractor, plan, options)) as shards:
        (made,) = shards
    return {level: values.astype(np.float32, copy=False) for level, values in made.features.items()}


def move(subject: object, name: str, device: str) -> None:
    """Move a subject to a device, if it can be moved.

    Args:
        subject: Anything.
        name: Its name, for the message.
        device: `cpu`, `cuda`, ... or `auto`.

    Raises:
        UsageError: The device is not there, or the subject does not fit on it.
    """
    if not isinstance(subject, OnDevice):
        return
    device = resolve_device(device)
    try:
        subject.to(device)
    except UserError:
        raise
    except Exception as error:
        raise UsageError(
            f"{name!r} cannot be moved to {device!r}: {type(error).__name__}: {error}", fix="--device cpu"
        ) from error


def resolve_device(name: str) -> str:
    """The device that `auto` stands for on this machine; any other name is returned as it is."""
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _shards_with_batches(
    plan: Plan, options: ExtractionOptions
) -> Generator[tuple[Shard, Iterator[Batch]], None, None]:
    """Each shard with its batches; one loader runs through all, so that workers never wait for a shard's end."""
    parts = [plan.batch_rows(shard) for shard in plan.shards]
    everything = [rows for part in parts for rows in part]
    stream = batches(
        plan.dataset,
        everything,
        plan.spec.preprocessing,
        plan.align,
        mirrored=plan.mirrored,
        workers=options.workers,
    )
    total, done = sum(len(rows) for rows in everything), 0
    label = f"{plan.spec.name} on {plan.dataset.card().name}"

    def with_progress(number: int) -> Iterator[Batch]:
        nonlocal done
        for _ in range(number):
            batch = next(stream)
            yield batch
            done += len(batch.rows)
            options.progress(done, total, label)

    with closing(stream):
        options.progress(0, total, label)
        for shard, part in zip(plan.shards, parts, strict=True):
            yield shard, with_progress(len(part))
