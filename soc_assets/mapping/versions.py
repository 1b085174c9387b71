"""Versions of the code behind maps: raise one when its output changes, and what is on disk becomes stale."""

TILES = "1"  # the numbers
FILES = "2"  # the files of a map
CHANGES = "1"  # the tiles and files of a change between periods
