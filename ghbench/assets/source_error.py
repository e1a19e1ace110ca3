"""The failure of one source, after which the next one is tried; users see all of them in one MissingError."""


class SourceError(Exception):
    """A source that did not give what was asked."""
