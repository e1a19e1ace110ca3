"""The feature store: features by content key, in memory-mapped shards, verified when opened."""

from ghbench.store.feature_store import FeatureStore, StoredFeatures, default_store
from ghbench.store.key import FeatureKey, StorageDtype
from ghbench.store.remote_features import RemoteFeatures, RemoteStore
from ghbench.store.shards import ShardNote

__all__ = [
    "FeatureKey",
    "FeatureStore",
    "RemoteFeatures",
    "RemoteStore",
    "ShardNote",
    "StorageDtype",
    "StoredFeatures",
    "default_store",
]
