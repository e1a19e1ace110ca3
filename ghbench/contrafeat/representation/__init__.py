"""Disentangled representations from pairs of images that differ in one known way (Zhu et al. 2023, section 5)."""
