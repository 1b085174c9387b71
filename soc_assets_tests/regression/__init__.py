"""Tests of soc_assets.regression."""
