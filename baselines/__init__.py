"""First-party baselines: plugins like anybody's, found through the entry points of ghbench's own package."""
