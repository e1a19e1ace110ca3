"""The feature store: features by content key, in memory-mapped shards, verified when opened."""

from ghbench.store.feature_store import FeatureStore, ShardNote, StoredFeatures, default_store
from ghbench.store.key import FeatureKey, StorageDtype

__all__ = ["FeatureKey", "FeatureStore", "ShardNote", "StorageDtype", "StoredFeatures", "default_store"]
