"""ghbench."""
