"""The golden weights as the checkpoints that the reference programs write."""

import numpy as np

from ghbench.checkpoints import Checkpoint

NVIDIA = {
    # file: generator's and discriminator's architecture
    "nv_ada32": ("skip", "residual"),
    "nv_ada16_cond": ("skip", "residual"),
    "nv_ada16_resnet": ("residual", "skip"),
}


def checkpoint_of(name, file):
    """What a reader would find in the file of which a golden file holds the weights."""
    if name == "rosinality_sg2":
        tensors = arrays(file, "g_ema/", "d/") | {"latent_avg": file["out/w_mean_of_ztrunc"][0].numpy()}
        return Checkpoint("rosinality", tensors, {}, "")
    if name in NVIDIA:
        clamp = float(file["cfg/conv_clamp"])
        limit = {"conv_clamp": None if clamp < 0 else clamp}
        config = {"G_ema": {"init_kwargs": {"synthesis_kwargs": limit}}, "D": {"init_kwargs": limit}}
        return Checkpoint("stylegan2-ada", arrays(file, "G_ema/", "D/"), config, "")
    return Checkpoint("genforce", arrays(file, "generator/", "discriminator/"), {}, "")


def arrays(file, *prefixes):
    chosen = {key: value for key, value in file.arrays.items() if key.startswith(prefixes)}
    return {key: np.asarray(value) for key, value in chosen.items()}
