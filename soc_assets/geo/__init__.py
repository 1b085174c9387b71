"""Grids, coordinate reference systems, places and polygons."""
