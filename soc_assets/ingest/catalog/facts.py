"""What one raster file states about itself: its grid, its statistics, and the steps that its bands hold.

Which files are looked at, and when, is in `catalog`.
"""

import json
import math
from functools import cache
from typing import Any

from rasterio.crs import CRS
from rasterio.io import DatasetReader

from soc_assets.errors import RasterError
from soc_assets.ingest.catalog.find import RasterFile
from soc_assets.ingest.catalog.layers import Layer, layers_of, require_usable
from soc_assets.ingest.catalog.statistics import Statistics, of_raster
from soc_assets.rasters.georeferencing import crs_of
from soc_assets.rasters.names import tags_of
from soc_assets.rasters.opening import open_raster
from soc_assets.settings import Channel

_RULES = 2  # of the code that reads: raise it when it reads other numbers, and every raster is read again
_NETCDF_RULES = 1  # likewise, of what it reads in NetCDF files alone: `missing_value`, flags, uneven axes
_DECIDING = {"fill_values", "valid_range", "layer", "layers", "value", "variable", "scale", "offset"}  # settings


def reading_of(channel: Channel, in_file: bool, path: str = "") -> str:
    """How the settings interpret the stored numbers, as text: results of another reading are recomputed.

    Args:
        channel: the band, or one class of it.
        in_file: whether the bands of a file are the steps.
        path: of the file.
    """
    kept = channel.model_dump(mode="json", include=_DECIDING)
    kept |= {"rules": _RULES} | ({"steps": "in file"} if in_file else {})
    kept |= {"netcdf": _NETCDF_RULES} if path.lower().endswith(".nc") else {}
    return json.dumps({name: value for name, value in kept.items() if value not in (None, [])}, sort_keys=True)


def read_facts(file: RasterFile, channel: Channel, content: str, reading: str) -> list[dict[str, Any]]:
    """What the catalog keeps of a file's content, as one band (or class) sees it: a row per step in the file.

    Args:
        file: where it is.
        channel: the band, or one class of it.
        content: digest of the file's bytes.
        reading: from `reading_of`.

    Raises:
        RasterError: the file cannot be used; names it, the reason and the fix.
    """
    rows = []
    with open_raster(file.path, channel.variable) as dataset:
        for layer in layers_of(dataset, file):
            require_usable(dataset, file, layer.index)
            rows.append({**_facts(dataset, file, channel, layer), "digest": content, "reading": reading})
    return rows


def with_tags(rows: list[dict[str, Any]], file: RasterFile, channel: Channel) -> list[dict[str, Any]]:
    """Rows of a catalog of an earlier release with what the file's tags say, without reading a pixel."""
    with open_raster(file.path, channel.variable) as dataset:
        return [row | tags_of(dataset, int(row["layer"])) for row in rows]


def _facts(dataset: DatasetReader, file: RasterFile, channel: Channel, layer: Layer) -> dict[str, Any]:
    statistics = of_raster(
        dataset,
        channel.fill_values,
        band=layer.index,
        valid_range=channel.valid_range,
        value=channel.value,
        scaling=channel.scaling,
    )
    if not statistics.count:
        beyond = f", valid range {list(channel.valid_range)}" if channel.valid_range else ""
        raise RasterError(
            f"The raster {file.path} has no valid pixel (nodata tag {dataset.nodatavals[layer.index - 1]}, fill values "
            f"{list(channel.fill_values)}{beyond}). "
            "Replace the file, or mend its nodata tag or the band's fill_values or valid_range in soc.toml."
        )
    step = {"year": layer.year, "season": layer.season, "layer": layer.index}
    return {**step, **_grid(dataset, layer.index), **_values(statistics, dataset), **tags_of(dataset, layer.index)}


def _grid(dataset: DatasetReader, layer: int) -> dict[str, Any]:
    nodata = dataset.nodatavals[layer - 1]
    return {
        "crs": _crs_words(crs_of(dataset).to_wkt()),
        "transform": [float(value) for value in dataset.transform[:6]],
        "shape": [dataset.height, dataset.width],
        "height": dataset.height,
        "width": dataset.width,
        "dtype": dataset.dtypes[layer - 1],
        "nodata": math.nan if nodata is None else float(nodata),
        "bounds": [float(value) for value in dataset.bounds],
    }


@cache
def _crs_words(wkt: str) -> str:
    """`EPSG:n` where that is identical, else the WKT: the most similar code might shift the raster."""
    crs = CRS.from_wkt(wkt)
    code = crs.to_epsg()  # a search that takes 50 ms
    return f"EPSG:{code}" if code and CRS.from_epsg(code) == crs else wkt


def _values(statistics: Statistics, dataset: DatasetReader) -> dict[str, Any]:
    return {
        "valid_share": statistics.count / (dataset.height * dataset.width),
        "mean": statistics.mean,
        "std": statistics.std,
        "min": statistics.low,
        "max": statistics.high,
        "valid_count": statistics.count,
    }
