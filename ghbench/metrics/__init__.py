"""Metrics: pure functions on NumPy arrays, point values only; nothing here imports torch."""
