"""What a training began from: the earlier encoder's origin, as JSON values that live on in the later one's file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ghbench.extractor import TrainingRecord
from ghbench.ghfeat.files.weights import SavedEncoder


@dataclass(frozen=True)
class Past:
    """An earlier encoder.

    Args:
        told: What later files tell of it: digest, licence, record, and its history where its own file has one.
    """

    told: Mapping[str, Any]

    @classmethod
    def of(cls, saved: SavedEncoder) -> Past:
        """The past of whatever is trained from an encoder."""
        record = saved.record
        told: dict[str, Any] = {
            "digest": saved.digest, "licence": saved.licence, "datasets": list(record.datasets),
            "networks": list(record.networks), "supervision": record.supervision, "domain": record.domain,
        }  # fmt: skip
        for name in ("history", "began_from"):
            if isinstance(saved.about.get(name), dict):
                told[name] = saved.about[name]
        return cls(told)

    def record(self, now: TrainingRecord) -> TrainingRecord:
        """The record of weights that this training's own record describes only from here on."""
        told = self.told
        real = "real" in {now.domain, told["domain"]}
        supervision = [part for part in told["supervision"].split(", ") if part not in now.supervision.split(", ")]
        return TrainingRecord(
            datasets=tuple(dict.fromkeys([*now.datasets, *told["datasets"]])),
            image_digests=None,
            networks=tuple(dict.fromkeys([*now.networks, *told["networks"]])),
            supervision=", ".join([now.supervision, *supervision]),
            domain="real" if real else now.domain,
        )

    def licence(self, now: str) -> str:
        """The terms of weights that were taken over and trained further under `now`."""
        return now if self.told["licence"] in {"", now} else f"{now}; begun from weights under {self.told['licence']}"

    def stages(self) -> dict[str, str]:
        """Rows for the card, the latest stage first."""
        names = ("began from", *(f"before that ({number})" for number in range(1, 100)))
        return {name: _line(past) for name, past in zip(names, self._chain(), strict=False)}

    def _chain(self) -> Iterator[Mapping[str, Any]]:
        past: Any = self.told
        while isinstance(past, Mapping):
            yield past
            past = past.get("began_from")


def _line(past: Mapping[str, Any]) -> str:
    digest, history = str(past.get("digest", ""))[:16], past.get("history")
    if not isinstance(history, Mapping):
        return f"{digest}, of which no more is known"
    return f"{digest}, {history.get('images', '?')} images by `{history.get('command', '?')}`"
