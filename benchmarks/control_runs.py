"""Encoders of faces that are equal but for what teaches them; trained where they are not there yet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ghbench import locations
from ghbench.ghfeat.files.description import describe_encoder
from ghbench.ghfeat.training.options import GhfeatOptions
from ghbench.training.settings import parse_settings

GENERATOR, SIZE = "mobile-stylegan-ffhq", 64
COMMON = ("width=0.5",)
ARMS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "generator": ("pixels, through the generator: the paper's loss", ("code=0",)),
    "learned": ("pixels, through a decoder that learns too: a plain autoencoder", ("code=0", "decoder=learned")),
    "shuffled": ("pixels, through the generator with permuted weights", ("code=0", "decoder=shuffled")),
    "codes": ("true codes alone, of the half of the images whose light and place are unchanged", ("pixel=0",)),
}
"""What teaches, in words and as options."""
PERCEPTUAL = "perceptual"
WITH_LABELS = {
    PERCEPTUAL: (
        "pixels and features of MobileNetV2, which labels taught, through the generator",
        ("code=0", "perceptual_share=0.5"),
    )
}
"""The arm that other supervision reaches; the arms that test the generator have none."""
USUAL = GhfeatOptions().rate


@dataclass(frozen=True, slots=True)
class ControlRun:
    """One training.

    Args:
        arm: Key of `ARMS` or of `WITH_LABELS`.
        images: Images of the whole training.
        rate: Learning rate.
    """

    arm: str
    images: int
    rate: float = USUAL

    @property
    def name(self) -> str:
        """Name of its run."""
        return f"control-{self.images}-{self.arm}" + ("" if self.rate == USUAL else f"-rate{self.rate:g}")

    @property
    def taught_by(self) -> tuple[str, tuple[str, ...]]:
        """What teaches it, in words and as options."""
        return {**ARMS, **WITH_LABELS}[self.arm]

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return locations.cache() / "runs" / self.name

    @property
    def about(self) -> Mapping[str, Any]:
        """Options and measurements in its file."""
        return describe_encoder(self.folder / "model.safetensors").about

    def train(self) -> None:
        """Train it, unless it is there.

        Raises:
            SystemExit: It was trained with other settings.
        """
        settings = [*COMMON, *self.taught_by[1], *([] if self.rate == USUAL else [f"rate={self.rate:g}"])]
        if (self.folder / "model.safetensors").is_file():
            options = self.about["options"]
            wanted = asdict(GhfeatOptions(**parse_settings(GhfeatOptions, settings)))
            wanted |= {"total": self.images, "generator": f"{GENERATOR}:size={SIZE}"}
            if {name: options.get(name) for name in wanted} != wanted:
                raise SystemExit(f"{self.folder} was trained with other settings; fix: rm -r {self.folder}")
            return
        command = ["train", "ghfeat", "--generator", GENERATOR, "--size", SIZE, "--images", self.images]
        command += ["--run", self.name, *(part for setting in settings for part in ("-o", setting))]
        subprocess.run([str(Path(sys.executable).with_name("ghbench")), *map(str, command)], check=True)
