"""Classes of images from frozen features."""
