"""One training loop for everything that ghbench trains, and the recipes of the generators."""
