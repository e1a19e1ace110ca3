"""Published datasets of images with known factors, read from the files as their makers published them."""
