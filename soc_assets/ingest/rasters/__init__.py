"""Rasters: the folder and its files, which step each holds, reading pixels, statistics, and the catalog of all."""
