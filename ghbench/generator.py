"""What a generator plugin is: a spec, and a way to load the network. Nothing to inherit; satisfy the Protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ghbench.extractor import TrainingRecord

if TYPE_CHECKING:
    from ghbench.generators.protocol import Generator


@dataclass(frozen=True, slots=True)
class GeneratorSpec:
    """All that ghbench must know of a generator before it loads it; cheap to make, no network is built for it.

    Args:
        name: Registered name, or the file's.
        version: Grows whenever the same z may give another image.
        size: Side of its images in pixels.
        colours: Channels of its images.
        weights_digest: sha256 that identifies the weights, whatever they are: a file, a seed and recipe.
        licence: Terms of the weights.
        training: What shaped the weights.
        domain: What the images show, in a few words: `faces, aligned as in FFHQ`.
        citation: What to cite.
        notes: What whoever uses it should know, a sentence each.
    """

    name: str
    version: str
    size: int
    colours: int
    weights_digest: str
    licence: str
    training: TrainingRecord
    domain: str
    citation: str = ""
    notes: tuple[str, ...] = ()


@runtime_checkable
class GeneratorPlugin(Protocol):
    """A generator that can be named: entry-point group `ghbench.generators`."""

    def spec(self) -> GeneratorSpec:
        """Describe the generator: no torch, no network of either kind, nothing fetched."""
        ...

    def load(self) -> Generator:
        """Load it: a torch module on the CPU, in evaluation mode, with `requires_grad` off.

        Raises:
            MissingError: The weights are not on this machine and cannot be fetched.
        """
        ...
