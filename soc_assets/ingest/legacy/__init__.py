"""The original project's `.npy` tiles, turned into GeoTIFFs."""
