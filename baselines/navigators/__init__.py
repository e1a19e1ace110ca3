"""Directions to compare ContraFeat's with."""
