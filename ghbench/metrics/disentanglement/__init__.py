"""Is a code disentangled? Each metric takes one table: codes [N, d], and the true factors [N, K] of the same items.

Formulas and settings are those of google-research/disentanglement_lib at 86a644d; docstrings say where we differ.
"""
