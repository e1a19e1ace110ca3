"""How a training differs from the paper's, as sentences for the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ghbench.ghfeat.training.options import PRESETS

PAPER_IMAGES = 96 * 145_833
"""Images of the recipe at 256 px: iterations of the official program, times its batch (8 GPUs, 12 images each)."""

_OTHER = {
    "alignment": True, "gathering": "flatten", "space": "", "width": 1.0, "depth": 0, "pixel": 1.0, "mirror": True,
    "code_components": 0,
}  # fmt: skip
"""Options without a sentence of their own, and what the paper has."""


def deviations(options: Mapping[str, Any], images: int) -> str:
    """What is not as in Xu et al. 2021 and their official program; empty for a training as in the paper.

    Args:
        options: Fields of `GhfeatOptions`.
        images: Images seen.
    """
    paper, rendered = PRESETS["paper"], options["real"] < 1
    seen = options["perceptual"] or options["perceptual_share"]
    terms = {"perceptual": ["perceptual"], "adversarial": ["adversarial", "r1_gamma"]}
    usual = {**_OTHER, **{name: paper[name] for term, names in terms.items() if options[term] for name in names}}
    found = {
        f"saw {images / PAPER_IMAGES:.1%} of the paper's {PAPER_IMAGES / 1e6:.0f} million images": images
        < PAPER_IMAGES,
        "learned from renders, not from photographs": rendered,
        f"truncations from {options['psi_low']:g} to {options['psi_high']:g}": rendered,
        f"{options['mixed']:.0%} of the codes mixed, {options['perturbed']:.0%} with a strange row": rendered,
        f"true codes of renders at a weight of {options['code']:g}": options["code"],
        "no perceptual network": not seen,
        f"{options['perceptual_network']} as perceptual network, not VGG16": (
            seen and not options["perceptual_network"].startswith("vgg16")
        ),
        f"its weight set by its share of the loss, {options['perceptual_share']:g}": options["perceptual_share"],
        f"its images averaged to {options['perceptual_side']} px": seen and options["perceptual_side"],
        "no discriminator": not options["adversarial"],
        "degraded inputs with clean targets": options["degraded"] or options["reflected"],
        "light, colour and position changed in input and target": options["changed"] or options["grey"],
        f"batches of {options['batch']}, not {paper['batch']}": options["batch"] != paper["batch"],
        f"a rate {options['rate'] / paper['rate']:g} times the paper's": options["rate"] != paper["rate"],
        "a rate that falls as a cosine, and averaged weights": options["decay"] == "cosine",
        f"norms settled for the last {options['settled']:.0%}": options["settled"],
        "a small trunk, whose heads, one a level, read the map of its resolution and end affine": (
            options["encoder"] == "compact"
        ),
        "codes relative to their mean and deviation": options["statistics"],
        f"a {options['decoder']} decoder in the generator's place, as a control": options["decoder"] != "generator",
        **{f"{name}={options[name]}": options[name] != value for name, value in usual.items()},
    }
    parts = [part for part, differs in found.items() if differs]
    return f"Differs from the paper: {'; '.join(parts)}." if parts else ""
