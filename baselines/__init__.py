"""First-party baselines: plugins, found through the entry points of ghbench's own package."""
