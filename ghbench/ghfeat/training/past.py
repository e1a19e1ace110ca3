"""The encoder that a training started from: its origin, as JSON values that the new encoder's file keeps."""

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
        origin: What later files keep of it: digest, licence, training record, and its history if its own file has one.
    """

    origin: Mapping[str, Any]

    @classmethod
    def of(cls, saved: SavedEncoder) -> Past:
        """The past of an encoder that is trained from a saved one."""
        record = saved.record
        origin: dict[str, Any] = {
            "digest": saved.digest, "licence": saved.licence, "datasets": list(record.datasets),
            "networks": list(record.networks), "supervision": record.supervision, "domain": record.domain,
        }  # fmt: skip
        for name in ("history", "began_from"):
            if isinstance(saved.about.get(name), dict):
                origin[name] = saved.about[name]
        return cls(origin)

    def record(self, now: TrainingRecord) -> TrainingRecord:
        """The training record of the new encoder: this training's own record, and the past's."""
        origin = self.origin
        real = "real" in {now.domain, origin["domain"]}
        supervision = [part for part in origin["supervision"].split(", ") if part not in now.supervision.split(", ")]
        return TrainingRecord(
            datasets=tuple(dict.fromkeys([*now.datasets, *origin["datasets"]])),
            image_digests=None,
            networks=tuple(dict.fromkeys([*now.networks, *origin["networks"]])),
            supervision=", ".join([now.supervision, *supervision]),
            domain="real" if real else now.domain,
        )

    def licence(self, now: str) -> str:
        """The terms of weights that were trained further under the terms `now`."""
        earlier = self.origin["licence"]
        return now if earlier in {"", now} else f"{now}; started from weights under {earlier}"

    def stages(self) -> dict[str, str]:
        """Rows for the card, the latest stage first."""
        names = ("started from", *(f"before that ({number})" for number in range(1, 100)))
        return {name: _line(past) for name, past in zip(names, self._chain(), strict=False)}

    def _chain(self) -> Iterator[Mapping[str, Any]]:
        past: Any = self.origin
        while isinstance(past, Mapping):
            yield past
            past = past.get("began_from")


def _line(past: Mapping[str, Any]) -> str:
    digest, history = str(past.get("digest", ""))[:16], past.get("history")
    if not isinstance(history, Mapping):
        return f"{digest}, without a history"
    return f"{digest}, {history.get('images', '?')} images by `{history.get('command', '?')}`"
