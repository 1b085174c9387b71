"""Tests of soc_assets.defs."""
