"""Tests of soc_assets; the folders mirror the package."""
