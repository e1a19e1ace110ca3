"""The loop that fills the store: images in the dataset's order through an extractor, checked, shard by shard."""

from ghbench.extraction.engine import ExtractionOptions, encode_images, extract_features, move, resolve_device
from ghbench.extraction.plan import EncodedShard, Plan, Shard, ShardEncoder, commit_shard, plan_extraction
from ghbench.extraction.precomputed import Precomputed, store_precomputed
from ghbench.extraction.target import FeatureTarget

__all__ = [
    "EncodedShard",
    "ExtractionOptions",
    "FeatureTarget",
    "Plan",
    "Precomputed",
    "Shard",
    "ShardEncoder",
    "commit_shard",
    "encode_images",
    "extract_features",
    "move",
    "plan_extraction",
    "resolve_device",
    "store_precomputed",
]
