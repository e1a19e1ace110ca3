"""An example package with one extractor."""
