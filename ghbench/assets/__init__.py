"""Where weights and data from outside come from: declared by version and sha256, fetched, verified, cached."""

from ghbench.assets.manifest import get, names
from ghbench.assets.model import Asset
from ghbench.assets.progress import Progress
from ghbench.assets.store import available, digest, import_asset, path, verify

__all__ = ["Asset", "Progress", "available", "digest", "get", "import_asset", "names", "path", "verify"]
