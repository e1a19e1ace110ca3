"""Whether a network was ever trained, as far as its weights tell."""

from __future__ import annotations

from typing import Any

_FEWEST_WEIGHTS = 128
_SIGMAS = 5


def looks_untrained(module: Any) -> bool:
    """Whether all weights are as torch makes them.

    Normalisation layers start with ones and zeros, and no training leaves all of them there. A network without them is
    untrained if the weights of its convolutions and linear layers are uniform within 1/sqrt(fan-in) of 0, as torch's
    `reset_parameters` draws them: none outside, and their mean square a third of the bound's, within sampling error.
    Other initialisations are not recognised.
    """
    import torch

    norms = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm)
    found = [part for part in module.modules() if isinstance(part, norms) and part.state_dict()]
    if found:
        return all(_is_fresh_norm(part) for part in found)
    layers = (torch.nn.modules.conv._ConvNd, torch.nn.Linear)
    weights = [part.weight.detach().double() for part in module.modules() if isinstance(part, layers)]
    if sum(weight.numel() for weight in weights) < _FEWEST_WEIGHTS:
        return False
    # Divided by the bound; weights rounded to half precision may lie a little outside.
    scaled = torch.cat([(weight * weight[0].numel() ** 0.5).flatten().cpu() for weight in weights])
    spread = _SIGMAS * (4 / 45 / len(scaled)) ** 0.5  # the variance of a squared uniform number is 4/45
    return bool(scaled.abs().max() <= 1.005 and abs(scaled.square().mean() - 1 / 3) < spread)


def _is_fresh_norm(part: Any) -> bool:
    state = part.state_dict()
    scales = [state[name] for name in ("weight", "running_var") if name in state]
    shifts = [state[name] for name in ("bias", "running_mean") if name in state]
    # A residual branch may start with a scale of zero.
    fresh = all(bool((scale == 1).all() or (scale == 0).all()) for scale in scales)
    return fresh and not any(bool(shift.any()) for shift in shifts)


def random_weights(module: Any, again: Any) -> tuple[set[str], bool]:
    """Names of weights that differ between two constructions under different seeds, and whether all that vary do.

    Args:
        module: A network.
        again: The same, constructed once more.
    """
    import torch

    first, second = module.state_dict(), again.state_dict()
    tensors = {name: value for name, value in first.items() if isinstance(value, torch.Tensor)}
    differing = {
        name
        for name, value in tensors.items()
        if name in second and value.shape == second[name].shape and not torch.equal(value, second[name])
    }
    floats = {name: value for name, value in tensors.items() if value.is_floating_point() and value.numel()}
    varied = {name for name, value in floats.items() if (value != value.flatten()[0]).any()}
    return differing, bool(differing) and varied <= differing
