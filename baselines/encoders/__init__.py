"""Encoders of GH-Feat's architecture that learn without a generator, and the extractor of all that train here."""
