"""Shards encoded by actors of Ray, on one machine or many.

Into a store on disk only the process that asked for them writes; into one that all machines reach, the actors write
themselves. An actor that dies costs the shards it had in hand: others encode them, and a new actor starts where there
is room. The store, the plan and the checks are those of the local engine, and so are the bytes: actors make the same
batches, and compute them with as many threads as this process.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ghbench.errors import PluginError, UsageError, UserError
from ghbench.extraction.plan import EncodedShard, Plan, Shard, ShardEncoder, commit_shard
from ghbench.extraction.precision import full_float32
from ghbench.extraction.target import FeatureTarget
from ghbench.extractor import Encoder
from ghbench.extras import require

if TYPE_CHECKING:
    from ghbench.extraction.engine import ExtractionOptions

IN_HAND, ATTEMPTS = 2, 3
"""Shards that an actor has at once, so that it need not wait for the next; how often a shard may take its actor along,
or an actor may fail to start."""


class ShardActor:
    """What runs in a process of Ray's: an extractor, loaded once.

    Args:
        extractor: Encodes batches.
        plan: What to encode; shards come one by one.
        device: Where.
        threads: Of torch; 0 where the extractor does without.
        target: Where it stores shards itself; None: it sends their features back.
    """

    def __init__(self, extractor: Encoder, plan: Plan, device: str, threads: int, target: FeatureTarget | None) -> None:
        from ghbench.extraction.engine import move

        if threads:
            import torch

            torch.set_num_threads(threads)
        move(extractor, plan.spec.name, device)
        self._encoder, self._target = ShardEncoder(extractor, plan), target

    def ready(self) -> bool:
        """Answer once the extractor is loaded."""
        return True

    def encode(self, shard: Shard) -> EncodedShard:
        """Encode a shard, and store it where that is its part."""
        with full_float32():
            made = self._encoder.encode(shard)
        if self._target is None:
            return made
        commit_shard(self._target, made)
        return replace(made, features={})


def shards_by_actors(
    extractor: Encoder, plan: Plan, options: ExtractionOptions, threads: int, target: FeatureTarget | None = None
) -> Generator[EncodedShard, None, None]:
    """Shards as they come from actors, in any order.

    Args:
        extractor: Can be pickled.
        plan: What to encode.
        options: Address of the cluster, number of actors, device, progress.
        threads: Of torch in each actor; 0 where the extractor does without.
        target: Where actors store shards themselves, whose features then do not come along; None: nowhere.

    Raises:
        UserError: What the extractor or the checks raised, as from the local engine.
        PluginError: A shard ended its process again and again, or no actor can start.
        UsageError: There is no cluster at the address, or none of its machines has room for an actor.
        MissingError: Ray is not installed.
    """
    ray = require("ray", "cluster")
    own = not ray.is_initialized()
    if own:
        try:
            ray.init(address=options.address or None, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UsageError(f"no Ray cluster at {options.address!r}: {error}", fix="ray start --head") from error
    crew = _Crew(ray, extractor, plan, options, threads, target)
    try:
        yield from crew.encoded()
    finally:
        crew.end()
        if own:
            ray.shutdown()


class _Crew:
    """Actors, what they are doing, and what is left."""

    def __init__(
        self,
        ray: Any,
        extractor: Encoder,
        plan: Plan,
        options: ExtractionOptions,
        threads: int,
        target: FeatureTarget | None,
    ) -> None:
        self._ray, self._plan, self._options = ray, plan, options
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = sum(one.get("GPU", 0) for one in machines)
        on_gpu = options.device.startswith("cuda") or (options.device == "auto" and gpus >= 1)
        self._needs = {"num_cpus": 1, "num_gpus": 1} if on_gpu else {"num_cpus": max(1, threads)}
        wanted = {"CPU": 1, "GPU": 1} if on_gpu else {"CPU": max(1, threads)}
        room = sum(min(int(one.get(name, 0) // count) for name, count in wanted.items()) for one in machines)
        if not room and not options.actors:
            raise UsageError(
                f"no machine of the cluster has room for an actor, which takes {_told(wanted)}",
                fix="OMP_NUM_THREADS=1, --device cpu, or --actors N where machines start on demand",
            )
        device = "cuda" if on_gpu else options.device
        self._made_from = [ray.put(extractor), ray.put(replace(plan, shards=())), device, threads, target]
        self._left = deque(plan.shards)
        self._starting: dict[Any, Any] = {}
        self._working: dict[Any, tuple[Any, Shard]] = {}
        self._idle: list[Any] = []
        self._lost: Counter[int] = Counter()
        self._gone: Counter[int] = Counter()
        self._failed_starts, self._ever_started = 0, False
        self._wanted = min(options.actors or room, len(plan.shards))
        for _ in range(self._wanted):
            self._start_actor()

    def encoded(self) -> Generator[EncodedShard, None, None]:
        """Hand out shards until none is left."""
        errors = self._ray.exceptions
        total, done = sum(len(shard.rows) for shard in self._plan.shards), 0
        label = f"{self._plan.spec.name} on {self._plan.dataset.card().name}"
        self._options.progress(0, total, label)
        while self._left or self._working:
            (answer,), _ = self._ray.wait([*self._starting, *self._working], num_returns=1)
            try:
                made = self._ray.get(answer)
            except errors.RayTaskError as error:
                raise self._as_ours(error) from error
            except errors.RayActorError as error:
                self._replace_actor(answer, error)
                continue
            except errors.ObjectLostError as error:  # made, and gone with its machine before it was fetched
                self._replace_actor(answer, error, at_work=False)
                continue
            if answer in self._starting:
                actor, self._failed_starts, self._ever_started = self._starting.pop(answer), 0, True
                for _ in range(IN_HAND):
                    self._hand_out(actor)
                continue
            actor, shard = self._working.pop(answer)
            self._hand_out(actor)
            yield made
            done += len(shard.rows)
            self._options.progress(done, total, label)

    def end(self) -> None:
        """End all actors."""
        for actor in {*self._starting.values(), *(actor for actor, _ in self._working.values()), *self._idle}:
            self._ray.kill(actor)

    def _start_actor(self) -> None:
        actor = self._ray.remote(**self._needs)(ShardActor).remote(*self._made_from)
        self._starting[actor.ready.remote()] = actor

    def _hand_out(self, actor: Any) -> None:
        if self._left:
            shard = self._left.popleft()
            self._working[actor.encode.remote(shard)] = (actor, shard)
        else:
            self._idle.append(actor)

    def _replace_actor(self, answer: Any, error: Exception, *, at_work: bool = True) -> None:
        """Take back what a dead actor had in hand, and start another one.

        Args:
            answer: What it did not give.
            error: Why not.
            at_work: Whether it died of its work; else its machine took what it had made.
        """
        if answer in self._starting:
            del self._starting[answer]
            self._failed_starts += 1
            # One machine may end all that start on it while the others work.
            alive = self._ever_started and (self._starting or self._working or self._idle)
            if self._failed_starts >= (max(ATTEMPTS, self._wanted) if alive else ATTEMPTS):
                if alive:
                    return
                raise PluginError(
                    f"extractor {self._plan.spec.name!r} cannot be loaded by an actor: {str(error)[:400]}",
                    fix="an extractor that can be pickled and imported on every machine, or --engine local",
                ) from error
        else:
            dead, first = self._working[answer]
            self._count_loss(first, error, at_work=at_work)  # the first of those in hand was at work
            if not at_work:
                self._ray.kill(dead)  # should it live on elsewhere, its shards are another's now
            for reference in [reference for reference, (actor, _) in self._working.items() if actor == dead]:
                self._left.appendleft(self._working.pop(reference)[1])
            # Those without work take it over: there may be no room for another actor while they live.
            idle, self._idle = self._idle, []
            for actor in idle:
                if actor != dead:
                    self._hand_out(actor)
        self._start_actor()

    def _count_loss(self, shard: Shard, error: Exception, *, at_work: bool) -> None:
        """Give a shard up that is lost again and again."""
        counts = self._lost if at_work else self._gone
        counts[shard.start] += 1
        if counts[shard.start] < ATTEMPTS:
            return
        rows, name = f"rows {shard.rows[0]} to {shard.rows[-1]}", f"extractor {self._plan.spec.name!r}"
        what = (
            f"have ended {ATTEMPTS} processes of {name}"
            if at_work
            else f"of {name} were lost {ATTEMPTS} times on the way"
        )
        raise PluginError(f"{rows} {what}: {str(error)[:400]}") from error

    def _as_ours(self, error: Any) -> Exception:
        cause = error.cause
        if isinstance(cause, UserError):
            return cause
        return PluginError(f"extractor {self._plan.spec.name!r} failed in an actor: {str(error)[:400]}")


def _told(needs: Mapping[str, int]) -> str:
    return " and ".join(f"{count} {name}" for name, count in needs.items())
