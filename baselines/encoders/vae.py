"""A variational autoencoder of GH-Feat's architecture."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from ghbench.training.divergence import normal_divergence

from .recipe import PlainDecoder, Reconstructing, Terms

CITATION = "Kingma and Welling 2014; the decoder's variance as in Rybkin et al. 2021, Simple and Effective VAE Training"


class Vae(Reconstructing):
    """Codes are means of normal posteriors, whose log-variances are an affine function of the means.

    The decoder's variance is the one under which the batch is most likely, so that no weight has to be tuned: a term of
    D / 2 log(squared error) for images of D numbers; grey ones have one channel, although the encoder sees three.
    """

    name: ClassVar[str] = "vae"
    citation: ClassVar[str] = CITATION

    def others(self, width: int, size: int) -> dict[str, nn.Module]:
        """Decoder, and the layer of the log-variances, which starts at a constant."""
        spread = nn.Linear(width, width)
        nn.init.zeros_(spread.weight)
        nn.init.constant_(spread.bias, -2.0)
        return {"decoder": PlainDecoder(width, size), "spread": spread}

    def loss(self, *inputs: Tensor) -> Terms:
        """Negative evidence lower bound per number of an image, without its constants."""
        images, noise = inputs
        means = self.codes(images).float()
        logs = self.networks["spread"](means).float().clamp(-10, 10)
        made = self.networks["decoder"](means + (logs / 2).exp() * noise).float()
        error, divergence = (made - images).square().mean(), normal_divergence(means, logs).mean()
        loss = error.clamp_min(1e-8).log() / 2 + divergence / (self.colours * images[0, 0].numel())
        return loss, {"mse": error.detach(), "kl": divergence.detach()}
