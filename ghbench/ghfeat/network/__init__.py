"""The encoder of GH-Feat, and the codes that it predicts. Import what you need from its module."""
