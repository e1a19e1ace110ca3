"""The small network of input-dependent attention and directions."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from ghbench.generators.layers import EqualLinear


class Perceptron(nn.Module):
    """Dense layers with equalised learning rates and rectifiers of gain sqrt(2), the last one plain.

    Args:
        inputs: Numbers of the input.
        outputs: Numbers of the output.
        hidden: Width of the hidden layers.
        layers: Their number.
    """

    def __init__(self, inputs: int, outputs: int, *, hidden: int, layers: int) -> None:
        super().__init__()
        widths = [inputs, *[hidden] * layers, outputs]
        self.layers = nn.ModuleList(EqualLinear(before, after) for before, after in itertools.pairwise(widths))

    def forward(self, values: Tensor) -> Tensor:
        """[N, inputs] to [N, outputs]."""
        *hidden, last = self.layers
        for layer in hidden:
            values = torch.relu(layer(values)) * math.sqrt(2.0)
        output: Tensor = last(values)
        return output
