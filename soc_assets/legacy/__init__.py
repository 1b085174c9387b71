"""Tiles, samples and runs of the original project, imported."""
