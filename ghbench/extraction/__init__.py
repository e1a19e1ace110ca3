"""The loop that fills the store: images in the dataset's order through an extractor, checked, shard by shard."""

from ghbench.extraction.engine import ExtractionOptions, extract_features
from ghbench.extraction.precomputed import Precomputed, store_precomputed

__all__ = ["ExtractionOptions", "Precomputed", "extract_features", "store_precomputed"]
