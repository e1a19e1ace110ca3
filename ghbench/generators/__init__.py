"""Generator networks in plain PyTorch, exact to their reference implementations.

Nothing is imported here, so that commands without torch stay fast; import from the modules.
"""
