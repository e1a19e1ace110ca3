"""Writes a trained encoder: weights and a card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ghbench.extractor import Domain, OwnMetric, TrainingRecord
from ghbench.generator import GeneratorSpec
from ghbench.generators.loading import generator_plugin
from ghbench.ghfeat.files.weights import save_encoder
from ghbench.ghfeat.network.encoder import Encoder
from ghbench.ghfeat.training.deviations import deviations
from ghbench.ghfeat.training.metric import own_metric
from ghbench.ghfeat.training.past import Past
from ghbench.metrics.learned_metric import Kind
from ghbench.training.card import Card
from ghbench.training.images import record_name

RENDERS_ONLY = "trained on renders of its own generator; the paper used real photographs"


def export_encoder(
    folder: Path,
    encoder: Encoder,
    generator: GeneratorSpec,
    generator_name: str,
    description: Mapping[str, Any],
    history: Mapping[str, Any],
    *,
    perceptual_digest: str,
    perceptual_weight: float,
    domain: Domain,
    past: Past | None = None,
    kind: Kind | Literal[""] = "",
) -> None:
    """Write `model.safetensors` (matrices in float16) and `card.md`.

    Args:
        folder: Folder to write to.
        encoder: The encoder.
        generator: Spec of the generator that it was trained with.
        generator_name: Spec string that loads the generator.
        description: Options and data, as the recipe describes them.
        history: Images, steps, seed, hours, command, metrics and machine.
        perceptual_digest: Digest of the perceptual network, empty for none.
        perceptual_weight: Its weight, as set or measured.
        domain: `real`, or `in-generator` if the generator drew every image.
        past: The earlier encoder that training started from; its record, terms and history are kept.
        kind: Metric to learn for the codes; empty for none.
    """
    data = description["data"]
    rendered, given = data == "renders", description.get("discriminator_digest", "")
    record = TrainingRecord(
        datasets=(*generator.training.datasets, *(() if rendered else (record_name(data),))),
        image_digests=None,
        networks=tuple(
            digest
            for digest in (*generator.training.networks, generator.weights_digest, perceptual_digest, given)
            if digest
        ),
        supervision="self-supervised" + (", codes of renders" if description["code"] else ""),
        domain=domain,
    )
    licence = generator.licence
    if past is not None:
        record, licence = past.record(record), past.licence(licence)
    # What no generator draws names none.
    named = {"generator": generator_name, "generator_digest": generator.weights_digest}
    drawn = named if description["decoder"] == "generator" else {}
    about = {
        **drawn, "options": {name: value for name, value in description.items() if name != "data"},
        "data": data, "perceptual_weight": perceptual_weight,
        "history": {name: value for name, value in history.items() if name != "metrics"},
        "metrics": dict(history["metrics"]),
        **({"label": description["label"]} if "label" in description else {}),
        **({} if past is None else {"began_from": past.origin}),
    }  # fmt: skip
    file = folder / "model.safetensors"

    def save(metric: OwnMetric | None = None) -> None:
        save_encoder(file, encoder, licence=licence, record=record, about=about, half=True, metric=metric)

    save()  # before a metric is learned: whatever goes wrong then, the encoder is there
    if kind:
        metric, about["metric"] = own_metric(encoder, generator_name, kind)
        digest = generator_plugin(metric.generator).spec().weights_digest
        record = replace(record, networks=tuple(dict.fromkeys([*record.networks, digest])))
        save(metric)
    millions = sum(parameter.numel() for parameter in encoder.parameters()) / 1e6
    teachers = [f"{generator.name} ({generator.weights_digest[:16]})"]
    if perceptual_digest:
        teachers.append(f"{description['perceptual_network']} as perceptual network ({perceptual_digest[:16]})")
    if description["adversarial"]:
        began = f" from given weights ({given[:16]})" if given else ""
        teachers.append(f"a discriminator trained with it{began}" + (", on renders only" if rendered else ""))
    limits = RENDERS_ONLY[0].upper() + RENDERS_ONLY[1:] + "." if record.domain == "in-generator" else ""
    Card(
        title=f"GH-Feat encoder of {encoder.config.size} px for {generator.name}",
        what=(
            f"{millions:.1f} million parameters, codes of space {encoder.config.layout.space}, "
            f"{encoder.config.layout.width:,} numbers in {len(encoder.config.layout.levels)} levels. "
            "Use it with `ghbench run --extractor ghfeat:weights=model.safetensors`. Metrics are measured on unseen "
            "seeds at two truncations: squared error on [-1, 1], and R2 of the codes by level."
            + _beside(about.get("metric"))
            + (" `mse.real` is measured on real images of the test split." if "mse.real" in history["metrics"] else "")
        ),
        data=RENDERS_ONLY if rendered else _data_line(data, description["real"], domain),
        licence=licence,
        taught_by="; ".join(teachers),
        options={**about["options"], "perceptual_weight": perceptual_weight},
        history={**history, **(past.stages() if past else {})},
        limits=" ".join(part for part in (limits, deviations(description, int(history["images"]))) if part),
    ).write(folder / "card.md")


def _beside(metric: Mapping[str, Any] | None) -> str:
    """What else is in the file."""
    if metric is None:
        return ""
    return (
        f" Codes are compared in a metric ({metric['kind']}) learned from pictures of {metric['generator']}; "
        "`similarity=raw` leaves it out."
    )


def _data_line(data: Mapping[str, Any], share: float, domain: Domain) -> str:
    kind = "generated images" if domain == "in-generator" else "images"
    line = f"{data['dataset']}, split {data['split']}: {data['images']:,} {kind}"
    return line if share == 1 else f"{line}; {1 - share:.0%} of each batch are fresh renders of its own generator"
