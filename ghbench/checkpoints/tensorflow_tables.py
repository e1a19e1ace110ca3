"""Names and shapes of the variables inside TensorFlow's StyleGAN1 and GH-Feat pickles.

Sources: `training/networks_stylegan.py` of NVlabs/stylegan and `training/networks_ghfeat.py` of genforce/ghfeat.
Kernels are `[k, k, in, out]`, dense weights `[in, out]`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ghbench.checkpoints.checkpoint import Shape
from ghbench.checkpoints.records import refusal

_UNITS = (3, 4, 6, 3)
_WIDTHS = (256, 512, 1024, 2048)
_NORM = ("moving_mean", "moving_variance", "gamma", "beta")


def encoder_table(heads: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shapes of GH-Feat's encoder (ResNet-50, pyramid, fusion, three heads).

    Args:
        heads: Weight shapes `[in, out]` of `HighLevel`, `MidLevel` and `LowLevel`, which depend on the generator.
    """
    table: dict[str, Shape] = {}

    table |= _convolution("Conv0", 7, 3, 64, "norm")
    inputs = 64
    for stage, (units, width) in enumerate(zip(_UNITS, _WIDTHS, strict=True), start=1):
        for number in range(1, units + 1):
            table |= _unit(f"stage{stage}_unit{number}", inputs, width // 4, width, shortcut=number == 1)
            inputs = width
    table |= _unit("stage5", 2048, 512, 2048, shortcut=True)
    for number, channels in ((3, 1024), (4, 2048), (5, 2048)):
        table |= _convolution(f"fpn/lconv_{number}", 3, channels, 512, "bias")
    for number in range(3):
        table |= _convolution(f"fpn/fconv_{number}", 3, 512, 512, "bias")
        table |= _convolution(f"fuse_conv_{number}", 3, 512, 512, "bias")
    for name, shape in heads.items():
        table[f"{name}/weight"] = shape
        table[f"{name}/bias"] = shape[1:]
        table.update({f"{name}/batch_norm/{part}": shape[1:] for part in _NORM})
    return table


def _convolution(name: str, side: int, inputs: int, outputs: int, parts: str) -> dict[str, Shape]:
    table: dict[str, Shape] = {f"{name}/weight": (side, side, inputs, outputs)}
    if "bias" in parts:
        table[f"{name}/bias"] = (outputs,)
    if "norm" in parts:
        table |= {f"{name}/batch_norm/{part}": (outputs,) for part in _NORM}
    return table


def _unit(name: str, inputs: int, hidden: int, outputs: int, *, shortcut: bool) -> dict[str, Shape]:
    table = _convolution(f"{name}/Shortcut", 1, inputs, outputs, "norm") if shortcut else {}
    return (
        table
        | _convolution(f"{name}/Conva", 1, inputs, hidden, "bias norm")
        | _convolution(f"{name}/Convb", 3, hidden, hidden, "bias norm")
        | _convolution(f"{name}/Convc", 1, hidden, outputs, "bias norm")
    )


def generator_table(
    channels: Mapping[int, int], *, z_dim: int, w_dim: int, mapping_widths: tuple[int, ...], styled: bool = True
) -> dict[str, Shape]:
    """Shapes of a StyleGAN1 generator, mapping and synthesis.

    Args:
        channels: Channels by resolution: 4, 8, 16, ...
        z_dim: Size of z.
        w_dim: Size of w.
        mapping_widths: Outputs of the mapping's dense layers, the last one `w_dim`.
        styled: Whether the layers map w to styles; GH-Feat's Y-space synthesis takes styles instead.
    """
    table: dict[str, Shape] = {"lod": (), "dlatent_avg": (w_dim,), "synthesis/lod": ()}
    inputs = z_dim
    for number, width in enumerate(mapping_widths):
        table |= {f"mapping/Dense{number}/weight": (inputs, width), f"mapping/Dense{number}/bias": (width,)}
        inputs = width
    top = max(channels)
    previous = channels[4]
    for block, resolution in enumerate(sorted(channels)):
        width = channels[resolution]
        place = f"synthesis/{resolution}x{resolution}"
        layers = ("Const", "Conv") if resolution == 4 else ("Conv0_up", "Conv1")
        for step, layer in enumerate(layers):
            table[f"synthesis/noise{2 * block + step}"] = (1, 1, resolution, resolution)
            if layer == "Const":
                table[f"{place}/Const/const"] = (1, width, 4, 4)
            else:
                table[f"{place}/{layer}/weight"] = (3, 3, width if step else previous, width)
            table[f"{place}/{layer}/Noise/weight"] = (width,)
            table[f"{place}/{layer}/bias"] = (width,)
            if styled:
                table[f"{place}/{layer}/StyleMod/weight"] = (w_dim, 2 * width)
                table[f"{place}/{layer}/StyleMod/bias"] = (2 * width,)
        lod = (top // resolution).bit_length() - 1
        table |= {f"synthesis/ToRGB_lod{lod}/weight": (1, 1, width, 3), f"synthesis/ToRGB_lod{lod}/bias": (3,)}
        previous = width
    return table


def expected_encoder(variables: Mapping[str, NDArray[Any]]) -> dict[str, Shape]:
    """The encoder's table for the sizes of the file's heads.

    Raises:
        DataError: A head is missing or not a matrix.
    """
    heads = {}
    for name in ("HighLevel", "MidLevel", "LowLevel"):
        weight = variables.get(f"{name}/weight")
        if weight is None or weight.ndim != 2:
            raise refusal(f"an encoder without a readable {name}/weight")
        heads[name] = weight.shape
    return encoder_table(heads)


def expected_generator(variables: Mapping[str, NDArray[Any]]) -> dict[str, Shape]:
    """The generator's table for the sizes of the file's constant, biases and mapping.

    Raises:
        DataError: These are missing or unreadable.
    """
    channels = {}
    for name, value in variables.items():
        place = re.fullmatch(r"synthesis/(\d{1,5})x\1/Conv1?/bias", name)
        if place and value.ndim == 1:
            channels[int(place[1])] = value.size
    resolutions = sorted(channels)
    if not resolutions or resolutions != [4 * 2**block for block in range(len(resolutions))]:
        raise refusal("a StyleGAN1 generator without readable convolutions at 4, 8, 16 ... pixels")
    widths: list[int] = []
    while (bias := variables.get(f"mapping/Dense{len(widths)}/bias")) is not None:
        widths.append(bias.size)
    first = variables.get("mapping/Dense0/weight")
    if first is None or first.ndim != 2 or not widths:
        raise refusal("a StyleGAN1 generator without a readable mapping/Dense0")
    styled = any("/StyleMod/" in name for name in variables)
    return generator_table(
        channels, z_dim=first.shape[0], w_dim=widths[-1], mapping_widths=tuple(widths), styled=styled
    )
