"""What learns on frozen features. Import what you need from its module."""
