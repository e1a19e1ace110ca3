"""One extractor on one task, from what the user named to a result; import what you need from its module."""
