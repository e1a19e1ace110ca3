"""Contrastive losses of feature changes, and the training of navigators with them."""
