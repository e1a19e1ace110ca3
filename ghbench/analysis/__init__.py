"""What scores do not say: how alike two encoders are, how far two sets of images, and where an extractor is wrong."""

from ghbench.analysis.similarity import Similarity, compare_encoders

__all__ = ["Similarity", "compare_encoders"]
