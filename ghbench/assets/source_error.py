"""The failure of one source; the next one is tried, and users see all failures in one MissingError."""


class SourceError(Exception):
    """A source failed to provide an asset."""
