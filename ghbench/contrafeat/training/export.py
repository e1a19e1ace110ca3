"""Writes a trained navigator: weights and a card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ghbench.contrafeat.files import save_navigator
from ghbench.contrafeat.network.navigator import NavigatorNetwork
from ghbench.extractor import TrainingRecord
from ghbench.generator import GeneratorSpec
from ghbench.training.card import Card

DEVELOPMENT = (
    "Losses and defaults follow the author's development program, since the paper's settings could not be read: "
    "numbers are not comparable with the paper's tables."
)


def export_navigator(
    folder: Path, navigator: NavigatorNetwork, prototypes: Tensor | None, generator: GeneratorSpec, generator_name: str,
    sensor_digest: str, description: Mapping[str, Any], history: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write `model.safetensors` and `card.md`.

    Args:
        folder: Folder to write to.
        navigator: The navigator.
        prototypes: Its prototypes [K, 3, R, R] in [-1, 1]; None for the binary variant.
        generator: Spec of the generator.
        generator_name: Spec string that loads it.
        sensor_digest: Digest of the sensor, empty for none.
        description: Options, as the recipe describes them.
        history: Images, steps, seed, hours, command, metrics and machine.
    """
    options = dict(description)
    config = navigator.config
    save_navigator(
        folder / "model.safetensors", navigator,
        prototypes=prototypes, licence=generator.licence,
        record=TrainingRecord(
            datasets=generator.training.datasets,
            image_digests=None,
            networks=tuple(digest for digest in (generator.weights_digest, sensor_digest) if digest),
            supervision="self-supervised",
            domain="in-generator",
        ),
        about={
            "generator": generator_name, "generator_digest": generator.weights_digest, "options": options,
            "history": {name: value for name, value in history.items() if name != "metrics"},
            "metrics": dict(history["metrics"]),
        },
    )  # fmt: skip
    Card(
        title=f"ContraFeat navigator ({description['variant']}) for {generator_name}",
        what=(
            f"{config.directions} directions in W+ of {config.rows} rows, attention {config.attention}, directions "
            f"{config.source}. Use it with `ghbench edit traverse seed:0 --navigator model.safetensors --direction 0`."
        ),
        data="samples of the generator",
        licence=generator.licence,
        taught_by=f"{generator.name} ({generator.weights_digest[:16]})"
        + (f"; {description['sensor']} as sensor ({sensor_digest[:16]})" if sensor_digest else ""),
        options=options,
        history=history,
        limits=DEVELOPMENT,
    ).write(folder / "card.md")
