"""ContraFeat (Zhu et al. 2023): directions in a generator's latent space, found by contrasting changes of features."""
