"""Soil organic carbon from soil samples and multi-year rasters, as Dagster assets."""

from importlib.metadata import version

__version__ = version("soc-assets")
