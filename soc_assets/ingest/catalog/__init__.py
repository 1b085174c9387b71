"""The raster catalog: which files there are, their bands, steps and georeferencing."""
