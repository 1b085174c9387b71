"""Tiles that lie on others are found among many, and how a grid lies is named."""

import numpy as np
from rasterio.transform import Affine

from soc_assets.geo.grid import WGS84, Grid
from soc_assets.ingest.quality.georeferencing import grids, orientation_of


def row(name: str, top: float, left: float, size: int = 10) -> dict:
    """A tile of a catalog, on pixels of 0.01 degree; top and left in pixels."""
    place = {"transform": [0.01, 0, 11 + left / 100, 0, -0.01, 49 - top / 100], "height": size, "width": size}
    return {"band": "E", "year": None, "season": None, "path": f"/r/{name}", "tile": name, "crs": "EPSG:4326"} | place


def on_others(rows: list[dict]) -> list[tuple[str, str]]:
    grid = Grid(WGS84, Affine(0.01, 0, 11, 0, -0.01, 49), 400, 400)
    found = [finding for finding in grids(rows, "E", grid) if "almost wholly on another tile" in finding.found]
    return [(finding.path.rpartition("/")[2], finding.found.split(", ")[1]) for finding in found]


def test_tiles_on_others_are_found_whatever_their_size_and_order():
    mosaic = [row(f"{r}_{c}", 10 * r, 10 * c) for r in range(20) for c in range(20)]
    assert on_others(mosaic) == []
    small, large, shifted = row("small", 55, 55, 3), row("large", 100, 100, 60), row("shifted", 30.2, 70.1)
    found = on_others([*mosaic, small, shifted])
    assert found == [("small", "5_5"), ("shifted", "3_7")]
    assert on_others([row("other", 300, 300), small, row("over", 50, 50, 12)]) == [("over", "small")]
    covered = on_others([*mosaic, large])
    assert covered == [("large", "10_10")]


def test_how_a_grid_lies_is_named():
    pixels = {"north-up": (1, -1), "south-up": (1, 1), "north-up, mirrored": (-1, -1), "south-up, mirrored": (-1, 1)}
    for words, scale in pixels.items():
        assert orientation_of(Grid(WGS84, Affine.scale(*scale), 4, 4)) == words
    turned = Affine.rotation(30)
    assert orientation_of(Grid(WGS84, turned * Affine.scale(1, -1), 4, 4)) == "rotated"
    assert orientation_of(Grid(WGS84, turned * Affine.scale(1, 1), 4, 4)) == "rotated, mirrored"
    assert np.isclose(turned.determinant, 1)
