"""How far the posteriors of variational autoencoders are from the prior."""

from __future__ import annotations

from torch import Tensor


def normal_divergence(means: Tensor, logs: Tensor) -> Tensor:
    """Kullback-Leibler divergence of normal posteriors from the standard normal, in nats.

    Args:
        means: [N, D].
        logs: Logarithms of variances [N, D].

    Returns:
        [N].
    """
    return 0.5 * (means.square() + logs.exp() - 1 - logs).sum(dim=1)
