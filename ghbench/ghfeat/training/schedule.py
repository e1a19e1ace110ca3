"""Learning rates: the official program's, and a cosine."""

from __future__ import annotations

import math

WARM_UP, LOWEST = 100, 0.01
"""Steps in which a cosine's rate rises, and the share at which it ends."""


def cosine_rate(step: int, steps: int, rate: float) -> float:
    """A rate that rises linearly at the start and then falls as half a cosine (Loshchilov and Hutter 2017).

    Args:
        step: Steps done.
        steps: Steps of the run.
        rate: Highest rate.
    """
    fall = 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))
    return rate * min((step + 1) / WARM_UP, 1.0) * max(fall, LOWEST)


def decayed_rate(
    iteration: int,
    *,
    rate: float = 1e-4,
    factor: float = 0.8,
    decay_steps: int = 36_458,
    steps_an_iteration: int = 2,
) -> float:
    """The rate after some iterations: rate * factor^(steps / decay_steps), without a staircase.

    The official program counts the steps of both optimisers, encoder and discriminator, on one counter, so the rate
    decays twice per iteration: by 0.8 every 18,229 iterations, to 0.168 of its initial value after the 145,833 of the
    recipe at 256 px (8 GPUs, 96 images per iteration; decay steps are a quarter of the iterations).

    Args:
        iteration: Iterations done, 0 at the start.
        rate: Initial rate.
        factor: Factor after `decay_steps` steps.
        decay_steps: Steps per factor.
        steps_an_iteration: 2 if a discriminator is trained too, else 1.

    Returns:
        The rate of both optimisers.
    """
    return float(rate * factor ** (iteration * steps_an_iteration / decay_steps))
