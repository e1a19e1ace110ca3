"""Verification: do two images show the same person?"""
