"""Edits of images through their codes. Import what you need from its module."""
