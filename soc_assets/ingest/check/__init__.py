"""Findings about rasters and samples before anything is computed, each with its cure."""
