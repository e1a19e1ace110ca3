"""The small DCGAN of the `gan-face-generate` wheel: faces of 64 px in milliseconds, without styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from ghbench import assets
from ghbench.checkpoints.checkpoint import match_keys, state_arrays
from ghbench.checkpoints.torch_files import load_torch_file
from ghbench.errors import DataError, UsageError
from ghbench.generators.levels import GeneratorLevel, find_level
from ghbench.generators.protocol import Noise

ASSET = "dcgan-digiface"
Z_DIM = 100
WIDTHS = (512, 256, 128, 64)


class DCGAN(nn.Module):
    """A DCGAN generator (Radford et al. 2016): transposed convolutions with batch normalisation.

    In the generator protocol, z is the only row of W+, so truncation scales z. It has no styles; the methods for style
    codes raise an error.

    Args:
        z_dim: Dimensions of z.
        widths: Channels at 4, 8, ... pixels; images have twice the last resolution.
    """

    w_mean: Tensor

    def __init__(self, z_dim: int = Z_DIM, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.z_dim = self.w_dim = z_dim
        self.widths = tuple(widths)
        self.rows, self.labels = 1, 0
        self.resolution = 4 * 2 ** len(widths)
        layers: list[nn.Module] = []
        for inputs, outputs in zip((z_dim, *widths), widths, strict=False):
            stride, padding = (2, 1) if layers else (1, 0)
            layers.append(nn.ConvTranspose2d(inputs, outputs, 4, stride=stride, padding=padding, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.ConvTranspose2d(widths[-1], 3, 4, stride=2, padding=1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)
        self.register_buffer("w_mean", torch.zeros(z_dim), persistent=False)

    def configuration(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON values."""
        return {"z_dim": self.z_dim, "widths": list(self.widths)}

    @property
    def levels(self) -> tuple[GeneratorLevel, ...]:
        """One level, `z`."""
        return (GeneratorLevel("z", self.resolution, 3, self.z_dim, layer=0, number=1, scale_free=False),)

    def mapping(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Z [N, z_dim] times psi, as W+ [N, 1, z_dim]."""
        return (z * psi)[:, None]

    def synthesis(self, ws: Tensor, *, noise: Noise = "const") -> Tensor:  # noqa: ARG002 - of the protocol
        """Make images from W+ [N, 1, z_dim] or z [N, z_dim]; noise is ignored.

        Raises:
            ValueError: W+ has another shape.
        """
        if ws.shape[1:] not in {(self.z_dim,), (1, self.z_dim)}:
            raise ValueError(f"W+ is {tuple(ws.shape)}; expected [N, 1, {self.z_dim}]")
        images: Tensor = self.main(ws.reshape(-1, self.z_dim, 1, 1))
        return images.float()

    def features(self, ws: Tensor, level: str, *, noise: Noise = "const") -> Tensor:
        """The images, the output of the only level.

        Raises:
            KeyError: There is no such level.
        """
        find_level(self.levels, level)
        return self.synthesis(ws, noise=noise)

    def style_codes(self, ws: Tensor, *, raw: bool = False) -> dict[str, Tensor]:  # noqa: ARG002 - of the protocol
        """Not supported: there are no styles.

        Raises:
            UsageError: Always.
        """
        _refuse()

    def synthesis_from_styles(self, codes: Mapping[str, Tensor], *, noise: Noise = "const") -> Tensor:  # noqa: ARG002
        """Not supported: there are no styles.

        Raises:
            UsageError: Always.
        """
        _refuse()

    def forward(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Images [N, 3, R, R] from z [N, z_dim]."""
        return self.synthesis(self.mapping(z, psi))


def load_dcgan() -> DCGAN:
    """The published generator, frozen, in evaluation mode, in float32 on the CPU.

    Raises:
        MissingError: The wheel is not available.
        DataError: Its file is damaged.
    """
    return read_dcgan(assets.path(ASSET, "weights.tar"))


def read_dcgan(path: Path) -> DCGAN:
    """The generator in a file of the `gan-face-generate` wheel; see `load_dcgan`."""
    content = load_torch_file(path)
    if not isinstance(content, dict) or "netG_state_dict" not in content:
        raise DataError(f"{path} holds no netG_state_dict", fix=f"ghbench assets fetch {ASSET}")
    generator = DCGAN()
    arrays = {name.partition("/")[2]: value for name, value in state_arrays(content["netG_state_dict"], "G").items()}
    match_keys(arrays, {name: tuple(value.shape) for name, value in generator.state_dict().items()})
    generator.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
    return generator.eval().requires_grad_(requires_grad=False)


def _refuse() -> NoReturn:
    raise UsageError(
        "a DCGAN has no style codes", fix="use a style-based generator, for instance --generator mobile-stylegan-ffhq"
    )
