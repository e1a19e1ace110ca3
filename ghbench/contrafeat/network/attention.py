"""Attention over the rows of W+: how strongly each direction acts in each row."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ghbench.contrafeat.network.config import NavigatorConfig
from ghbench.contrafeat.network.perceptron import Perceptron


class Attention(nn.Module):
    """A distribution over rows for each direction; it is no query-key attention.

    Types, with A a parameter [K, choices] from the standard normal distribution:

    * `none`: equal shares of the first rows;
    * `fixed`: softmax(A), zeros for the other rows, then Gaussian smoothing, which leaks into them; sums need not be 1;
    * `fixedT`: softmax(A / temperature), not smoothed;
    * `fixedCM`: cumsum(softmax(A)) * (1 - cumsum(softmax(B))), a soft window of consecutive rows;
    * `ada1w`, `adaALLw`: softmax of a perceptron of the mean row, or of all rows, smoothed before the zeros.

    Source: the program from which the paper came, zhuxinqimac/stylegan2-ada-pytorch, branch `group`.

    Args:
        config: Architecture.
    """

    def __init__(self, config: NavigatorConfig) -> None:
        super().__init__()
        self.config = config
        size = (config.directions, config.choices)
        if config.attention.startswith("fixed"):
            self.logits = nn.Parameter(torch.randn(size))
        if config.attention == "fixedCM":
            self.ends = nn.Parameter(torch.randn(size))
        if config.attention.startswith("ada"):
            inputs = config.w_dim * (1 if config.attention == "ada1w" else config.rows)
            self.network = Perceptron(
                inputs, config.directions * config.choices, hidden=config.hidden, layers=config.attention_layers
            )

    def forward(self, ws: Tensor) -> Tensor:
        """W+ [N, L, D] to weights [N, K, L]."""
        config = self.config
        shape = (len(ws), config.directions, config.choices)
        if config.attention == "none":
            return self._whole(ws.new_full(shape, 1 / config.choices))
        if config.attention.startswith("ada"):
            seen = ws.mean(dim=1) if config.attention == "ada1w" else ws.flatten(1)
            return self._whole(self._smooth(self.network(seen).view(shape).softmax(dim=2)))
        weights = (self.logits / (config.temperature if config.attention == "fixedT" else 1.0)).softmax(dim=1)
        if config.attention == "fixedCM":
            weights = weights.cumsum(dim=1) * (1 - self.ends.softmax(dim=1).cumsum(dim=1))
        weights = self._whole(weights)
        return (self._smooth(weights) if config.attention == "fixed" else weights).expand(len(ws), -1, -1)

    def _whole(self, weights: Tensor) -> Tensor:
        return functional.pad(weights, (0, self.config.rows - self.config.choices))

    def _smooth(self, weights: Tensor) -> Tensor:
        return smooth(weights, self.config.smoothing, self.config.sigma)


def smooth(weights: Tensor, size: int, sigma: float) -> Tensor:
    """Convolve with a Gaussian along the last axis, reflected at its ends.

    Args:
        weights: [..., L].
        size: Side of the kernel, odd; 0 leaves the weights as they are.
        sigma: Standard deviation.
    """
    if not size:
        return weights
    kernel = gaussian(size, sigma, weights)
    lines = weights.reshape(-1, 1, weights.shape[-1])
    padded = functional.pad(lines, (size // 2, size // 2), mode="reflect")
    return functional.conv1d(padded, kernel[None, None]).view(weights.shape)


def gaussian(size: int, sigma: float, like: Tensor) -> Tensor:
    """A Gaussian [size] around its middle, of sum 1, with the dtype and device of a tensor."""
    places = torch.arange(size, device=like.device, dtype=like.dtype) - size // 2
    kernel = (-0.5 * (places / sigma).square()).exp()
    return kernel / kernel.sum()
