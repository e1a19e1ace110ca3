"""The version of ghbench, readable without importing anything else."""

__version__ = "0.1.0"
