"""Safe readers of foreign checkpoints: plain tensors out, nothing executed."""
