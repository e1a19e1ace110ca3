"""The card of trained weights: what they are, what they were trained on, how to reproduce them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ghbench.atomic import write_text


@dataclass(frozen=True, slots=True)
class Card:
    """A model card.

    Args:
        title: One line.
        what: What the network does and how to use it.
        data: What it was trained on.
        licence: Licence of the weights.
        taught_by: Other weights used in training.
        options: Options of the training.
        history: Images, steps, seed, hours, command, metrics and machine.
        limits: Known limitations.
    """

    title: str
    what: str
    data: str
    licence: str
    taught_by: str
    options: Mapping[str, Any]
    history: Mapping[str, Any]
    limits: str = ""

    def write(self, path: Path) -> None:
        """Write the card as Markdown."""
        history = dict(self.history)
        command, metrics = history.pop("command", ""), history.pop("metrics", {})
        parts = [
            f"# {self.title}", self.what,
            "| | |\n|---|---|\n" + "".join(_row(key, value) for key, value in {
                "Data": self.data, "Licence": self.licence, "Taught by": self.taught_by,
                "Command": f"`{command}`" if command else "",
            }.items()),
            "## Metrics\n\n" + _table("Metric", metrics, "none were measured"),
            "## Training\n\n" + _table("", history, ""),
            "## Options\n\n" + _table("Option", self.options, "defaults"),
        ]  # fmt: skip
        if self.limits:
            parts.insert(2, f"**Limits.** {self.limits}")
        write_text(path, "\n\n".join(part.strip() for part in parts) + "\n")


def _row(key: str, value: object) -> str:
    text = f"{value:.5g}" if isinstance(value, float) else str(value)
    return f"| {key} | {text} |\n" if text else ""


def _table(head: str, values: Mapping[str, Any], empty: str) -> str:
    if not values:
        return empty
    return f"| {head} | |\n|---|---|\n" + "".join(_row(key, value) for key, value in values.items())
