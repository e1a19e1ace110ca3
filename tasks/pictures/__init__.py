"""Tasks that judge images decoded from features."""
