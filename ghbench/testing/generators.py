"""Does a generator keep the contract of `ghbench.generator` and `ghbench.generators.protocol`?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ghbench.errors import UsageError
from ghbench.generator import GeneratorPlugin, GeneratorSpec
from ghbench.testing.violation import demand, demand_texts, is_digest

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 1e-3
"""Largest difference of images that should be equal, on their range from -1 to 1; libraries round by batch size."""
_COUNT = 3
_REACH, _BEYOND = 4.0, 0.5
"""Images are nominally within [-1, 1], of untrained networks less so; this share of pixels may lie further out."""


def check_generator(plugin: GeneratorPlugin, seed: int = 0) -> GeneratorSpec:
    """Check a generator against the contract; nothing is said about how good its images are.

    The spec is complete, made without loading, and does not change. The network is frozen. W+ and images have the
    declared shapes and range; equal z give equal images, whatever stands beside them in the batch; psi 0 gives the mean
    and psi draws towards it. Levels have names of their own; style codes have the declared widths and draw the image
    that their w draws. A second loading gives the same levels and images.

    Args:
        plugin: What to check; its weights must be on this machine, or be fetched.
        seed: Seed of the z.

    Returns:
        The generator's spec.

    Raises:
        ConformanceError: The sentence of the contract that does not hold.
    """
    import torch

    demand(isinstance(plugin, GeneratorPlugin), f"{type(plugin).__name__} lacks spec() or load()")
    spec = plugin.spec()
    demand(isinstance(spec, GeneratorSpec), f"spec() returns {type(spec).__name__}, not ghbench's GeneratorSpec")
    demand_texts("spec()", spec, ("name", "version", "licence", "domain"))
    demand(is_digest(spec.weights_digest), f"{spec.name}: weights_digest is no hexadecimal sha256")
    demand(spec.size >= 1 and spec.colours in {1, 3}, f"{spec.name}: {spec.size} px in {spec.colours} colours")
    network = _loaded(plugin, spec)
    z = torch.randn(_COUNT, network.z_dim, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        ws = network.mapping(z)
        images = _check_images(spec, network, ws)
        _check_mapping(spec, network, z, ws)
        _check_levels(spec, network, ws, images)
        second = _loaded(plugin, spec)
        demand(second.levels == network.levels, f"{spec.name}: levels are others when it is loaded again")
        _demand_close(images, second.synthesis(second.mapping(z)), f"{spec.name}: loaded again, it draws other images")
    demand(plugin.spec() == spec, f"{spec.name}: spec() says something else after use than before")
    return spec


def _loaded(plugin: GeneratorPlugin, spec: GeneratorSpec) -> Any:
    from ghbench.generators.protocol import Generator

    network: Any = plugin.load()
    demand(isinstance(network, Generator), f"{spec.name}: load() returns a {type(network).__name__}, no Generator")
    frozen = not network.training and not any(weight.requires_grad for weight in network.parameters())
    demand(frozen, f"{spec.name}: the network is not in evaluation mode, or its weights ask for gradients")
    return network


def _check_images(spec: GeneratorSpec, network: Any, ws: Tensor) -> Tensor:
    import torch

    rows = max(level.layer for level in network.levels) + 1
    shaped = ws.shape == (_COUNT, rows, network.w_mean.shape[-1])
    demand(shaped and ws.is_floating_point(), f"{spec.name}: W+ is {tuple(ws.shape)}; levels say {rows} rows")
    images: Tensor = network.synthesis(ws)
    wanted = (_COUNT, spec.colours, spec.size, spec.size)
    demand(images.shape == wanted, f"{spec.name}: images are {tuple(images.shape)}, expected {wanted}")
    demand(images.is_floating_point() and images.isfinite().all(), f"{spec.name}: images must be finite floats")
    beyond = float((images.abs() > _REACH).float().mean())
    demand(beyond <= _BEYOND, f"{spec.name}: {beyond:.0%} of the pixels lie beyond {_REACH}; expected -1 to 1")
    again = network.synthesis(ws)
    _demand_close(images, again, f"{spec.name}: the same W+ gives another image the next time")
    alone = torch.cat([network.synthesis(ws[row : row + 1]) for row in range(_COUNT)])
    _demand_close(images, alone, f"{spec.name}: images depend on what stands beside them in the batch")
    _demand_close(images.flip(0), network.synthesis(ws.flip(0)), f"{spec.name}: images do not follow the order of W+")
    return images


def _check_mapping(spec: GeneratorSpec, network: Any, z: Tensor, ws: Tensor) -> None:
    _demand_close(ws, network.mapping(z), f"{spec.name}: the same z gives another w the next time")
    mean = network.w_mean.expand_as(ws)
    _demand_close(mean, network.mapping(z, psi=0.0), f"{spec.name}: psi 0 does not give w_mean")
    half = mean + 0.5 * (ws - mean)
    _demand_close(half, network.mapping(z, psi=0.5), f"{spec.name}: psi 0.5 is not half of the way from w_mean to w")
    if bool((ws == ws[:, :1]).all()):
        same = network.synthesis(ws[:, 0])
        _demand_close(network.synthesis(ws), same, f"{spec.name}: one w for all rows is not w repeated")


def _check_levels(spec: GeneratorSpec, network: Any, ws: Tensor, images: Tensor) -> None:
    names = [level.name for level in network.levels]
    demand(names and len(set(names)) == len(names), f"{spec.name}: levels must be named, each once, got {names}")
    for level in (network.levels[0], network.levels[-1]):
        found = tuple(network.features(ws[:1], level.name).shape)
        wanted = (1, level.channels, level.resolution, level.resolution)
        demand(found == wanted, f"{spec.name}, level {level.name}: features are {found}, expected {wanted}")
    for raw in (False, True):
        try:
            codes = network.style_codes(ws, raw=raw)
        except UsageError:
            return  # it has no styles, and says so
        demand(set(codes) == set(names), f"{spec.name}: style codes are of {set(codes)}, levels are {set(names)}")
        for level in network.levels if not raw else ():
            shape, expected = tuple(codes[level.name].shape), (_COUNT, level.code_width)
            demand(shape == expected, f"{spec.name}, level {level.name}: style codes are {shape}, expected {expected}")
        drawn, kind = network.synthesis_from_styles(codes), "raw" if raw else "canonical"
        _demand_close(images, drawn, f"{spec.name}: {kind} style codes draw another image")


def _demand_close(expected: Tensor, found: Tensor, sentence: str) -> None:
    near = found.shape == expected.shape
    scale = max(float(expected.abs().max()), 1e-6)
    difference = float((found - expected).abs().max()) / scale if near else float("inf")
    demand(difference <= TOLERANCE, f"{sentence} (relative difference {difference:.2g}, allowed {TOLERANCE:g})")
