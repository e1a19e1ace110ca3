"""The training loop, and the recipes for generators."""
