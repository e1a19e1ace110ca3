"""The navigator: directions, and attention over the rows of W+ that they act in."""
