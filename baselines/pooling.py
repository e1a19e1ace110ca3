"""One vector an image from tokens or maps: the class token, the mean, or the generalised mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ghbench.errors import UsageError

if TYPE_CHECKING:
    import torch

Pool = Literal["default", "own", "cls", "mean", "gem"]

GEM_POWER = 3.0
GEM_FLOOR = 1e-6


def pool(features: torch.Tensor, how: Pool, prefix: int) -> torch.Tensor:
    """Pool tokens or maps.

    Args:
        features: Tokens [N, T, D], maps [N, C, H, W], or vectors [N, D], which stay as they are.
        how: `cls`, `mean` or `gem`. Mean and generalised mean are taken over patches only.
        prefix: Tokens before the patches: the class token, then registers.

    Returns:
        [N, D] or [N, C].

    Raises:
        UsageError: `cls`, and there is no class token.
    """
    if features.ndim == 2:
        return features
    if how == "cls":
        if features.ndim != 3 or not prefix:
            raise UsageError("pool=cls: the model has no class token", fix="pool=mean")
        return features[:, 0]
    patches = features.flatten(2).mT if features.ndim == 4 else features[:, prefix:]
    if how == "gem":
        # Radenovic, Tolias and Chum 2018, Fine-tuning CNN Image Retrieval with No Human Annotation, eq. 3.
        return patches.clamp(min=GEM_FLOOR).pow(GEM_POWER).mean(dim=1).pow(1 / GEM_POWER)
    return patches.mean(dim=1)


def between(how: Pool, prefix: int) -> Pool:
    """How a level inside the network is pooled: as the user says, else by the class token if there is one."""
    if how in {"default", "own"}:
        return "cls" if prefix else "mean"
    return how
