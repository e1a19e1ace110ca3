"""Where weights and data from outside come from: declared by version and sha256, fetched, verified, cached."""
