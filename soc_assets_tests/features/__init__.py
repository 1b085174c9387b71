"""Tests of soc_assets.features."""
