"""Encoders as files: our own safetensors and the authors' pickles. Import what you need from its module."""
