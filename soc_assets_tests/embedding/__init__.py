"""Tests of soc_assets.embedding."""
