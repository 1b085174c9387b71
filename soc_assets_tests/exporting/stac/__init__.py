"""Tests of soc_assets.exporting.stac."""
