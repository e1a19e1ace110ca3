"""Pictures along directions: generated ones from their codes in W+, photographs from their GH-Feat codes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ghbench import registry
from ghbench.contrafeat.navigators import Contrafeat
from ghbench.errors import DataError, UsageError
from ghbench.extractor import Navigator, NavigatorSpec
from ghbench.files import user_path
from ghbench.generators.loading import load_generator
from ghbench.generators.navigated import same_generator, whole_of
from ghbench.generators.pictures import in_rgb, on_device, resize
from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import seeded_z, to_uint8
from ghbench.ghfeat.codec import Codec, Codes, Images


@dataclass(frozen=True)
class Direction:
    """One direction of a navigator.

    Args:
        number: Its number.
        sign: 1, or -1 where it makes less of what its name says.
        label: How it is shown.
    """

    number: int
    sign: float
    label: str


def find_direction(navigator: Navigator, text: str) -> Direction:
    """A direction by its number or by its name.

    Raises:
        UsageError: There is none; the message lists the names.
    """
    names: Mapping[str, tuple[int, float]] = getattr(navigator, "names", {})
    if text in names:
        number, sign = names[text]
        return Direction(number, sign, text)
    if not text.isdecimal():
        near = difflib.get_close_matches(text, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        known = f"Directions with names: {', '.join(names)}" if names else "None has a name"
        raise UsageError(f"no direction {text!r}{hint} {known}", fix="--direction NUMBER")
    return Direction(int(text), 1.0, f"direction {text}")


def load_navigator(name: str) -> tuple[Navigator, NavigatorSpec]:
    """A navigator by its spec string, or by the path of its file.

    Raises:
        UsageError: There is no such plugin, or it is no navigator.
        MissingError: Its weights do not exist.
    """
    path = user_path(name)
    subject: Any = (
        Contrafeat(name) if path.suffix == ".safetensors" or path.is_dir() else registry.build("extractor", name)
    )
    spec = subject.spec()
    if not isinstance(spec, NavigatorSpec):
        raise UsageError(f"{name} is no navigator", fix="--navigator contrafeat-binary, ganspace or sefa")
    return subject, spec


class Traversal:
    """Moves codes along directions.

    Args:
        navigator: With directions in W+.
        spec: Its spec.
        size: Side of the pictures; None for that of the navigator's generator.
        device: Where to draw.
        generator: Name or path of a generator in place of the one that the navigator names.

    Raises:
        UsageError: The directions live in another space, or the generator is not known.
        DataError: It has other weights than the one that the navigator was made for.
    """

    def __init__(
        self, navigator: Navigator, spec: NavigatorSpec, size: int | None = None, device: str = "cpu",
        generator: str | None = None,
    ) -> None:  # fmt: skip
        if spec.space != "w_plus":
            raise UsageError(f"traversals need directions in w_plus; those of {spec.name} are in {spec.space}")
        self.navigator, self.spec = navigator, spec
        self.name = whole_of(spec, generator)
        self.generator: Generator = on_device(in_rgb(load_generator(self.name)), device)
        self.size = size

    @property
    def full_size(self) -> int:
        """Side of the generator's pictures."""
        return max(level.resolution for level in self.generator.levels)

    @torch.no_grad()
    def of_seed(self, seed: int, psi: float, direction: Direction, steps: Sequence[float]) -> Images:
        """A generated picture at each step, uint8 [S, 3, R, R].

        Raises:
            UsageError: There is no such direction.
        """
        z = seeded_z([seed], self.generator.z_dim).to(self.generator.w_mean)
        ws = self.generator.mapping(z, psi)
        move = self._move(ws, direction)
        parts = [resize(self.generator.synthesis(ws + step * move), self.size) for step in steps]
        return to_uint8(torch.cat(parts))

    @torch.no_grad()
    def of_codes(self, codec: Codec, codes: Codes, direction: Direction, steps: Sequence[float]) -> Images:
        """A picture with the codes of a photograph [1, width] by level at each step, uint8 [S, 3, R, R].

        The codes of an encoder are style codes, not w. They are moved by as much as those of their most likely w would
        be; what the photograph has that no w explains stays as it is.

        Raises:
            UsageError: The codes are those of another generator, or there is no such direction.
        """
        if codec.generator_name is None or not same_generator(codec.generator_name, self.name):
            raise UsageError(
                f"{self.spec.name} moves codes of {self.name}, and the encoder gives those of {codec.generator_name}",
                fix="--weights of an encoder for that generator",
            )
        small = codec.generator
        rows = max(level.layer for level in small.levels) + 1
        start = codec.likely_w(codes)[:, None].expand(-1, rows, -1)
        move = self._move(start, direction)
        before = codec.layout.codes(small, start)
        made = []
        for step in steps:
            after = codec.layout.codes(small, start + step * move)
            made.append(codec.decode({name: code + after[name] - before[name] for name, code in codes.items()}))
        return np.concatenate(made)

    def _move(self, ws: Tensor, direction: Direction) -> Tensor:
        """The direction [1, rows, w_dim] for codes of as many rows.

        Raises:
            UsageError: There is no such direction.
            DataError: It is not of the codes' shape.
        """
        found: NDArray[Any] = np.asarray(self.navigator.directions(ws.cpu().numpy()))
        if direction.number >= found.shape[1]:
            raise UsageError(f"there is no direction {direction.number}; {self.spec.name} has {found.shape[1]}")
        if found.shape[2:] != ws.shape[1:]:
            shapes = [" x ".join(map(str, shape)) for shape in (found.shape[2:], ws.shape[1:])]
            raise DataError(f"directions of {self.spec.name} are {shapes[0]}, and the codes of {self.name} {shapes[1]}")
        return torch.from_numpy(np.array(found[:, direction.number], np.float32)).to(ws) * direction.sign
