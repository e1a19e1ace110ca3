"""How a GH-Feat encoder is trained. Import what you need from its module."""
