"""Dataset adapters; each is registered by name and made from its spec string by `ghbench.registry`."""
