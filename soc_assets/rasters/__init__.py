"""Pixels of a band and step on the reference grid: reading, decoding, mosaics, resampling."""
