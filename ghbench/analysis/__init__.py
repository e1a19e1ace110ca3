"""What scores do not say: how alike two encoders are, how far two sets of images, and where an extractor is wrong."""

from ghbench.analysis.distances import Distances, measure_distances
from ghbench.analysis.errors_page import write_errors_page
from ghbench.analysis.similarity import Similarity, compare_encoders

__all__ = ["Distances", "Similarity", "compare_encoders", "measure_distances", "write_errors_page"]
