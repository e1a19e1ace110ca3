"""The loop that fills the store: images in the dataset's order through an extractor, checked, shard by shard."""

from ghbench.extraction.engine import ExtractionOptions, extract_features

__all__ = ["ExtractionOptions", "extract_features"]
