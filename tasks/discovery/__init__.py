"""Semantic directions: what they change, and whether they change it alone."""
