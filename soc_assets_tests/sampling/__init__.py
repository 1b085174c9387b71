"""Tests of soc_assets.sampling."""
