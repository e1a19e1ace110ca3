"""ContraFeat's navigator: a direction in w for each semantic change, weighted by attention in each row of W+."""

from __future__ import annotations

from torch import Tensor, nn

from ghbench.contrafeat.network.attention import Attention
from ghbench.contrafeat.network.config import NavigatorConfig
from ghbench.contrafeat.network.directions import Directions


class NavigatorNetwork(nn.Module):
    """Directions [N, K, L, D] of codes: dirs[n, k, l] = attention[n, k, l] * direction[n, k].

    A code is edited by adding a multiple of a direction; rows are not normalised again.

    Args:
        config: Architecture.
        axes: See `Directions`.
    """

    def __init__(self, config: NavigatorConfig, axes: Tensor | None = None) -> None:
        super().__init__()
        self.config = config
        self.attention = Attention(config)
        self.directions = Directions(config, axes)

    def forward(self, ws: Tensor) -> Tensor:
        """Directions of codes.

        Args:
            ws: W+ [N, L, D].

        Returns:
            [N, K, L, D].

        Raises:
            ValueError: Codes of another shape.
        """
        expected = (self.config.rows, self.config.w_dim)
        if ws.shape[1:] != expected:
            raise ValueError(f"W+ is {tuple(ws.shape)}; expected [N, {expected[0]}, {expected[1]}]")
        weights, directions = self.attention(ws), self.directions(ws)
        found: Tensor = weights[..., None] * directions[:, :, None]
        return found

    @property
    def adaptive(self) -> bool:
        """Whether directions depend on the code."""
        return self.config.attention.startswith("ada") or self.config.source.startswith("ada")
