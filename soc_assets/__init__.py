"""Soil organic carbon from soil samples and multi-year rasters, as Dagster assets."""

from importlib.metadata import version

from soc_assets.runtime import surroundings

__version__ = version("soc-assets")
surroundings.ignore_other_programs()
