"""Files that hold several rasters (variables of a NetCDF or HDF file, pages of a TIFF), and which one is read."""

import re

from rasterio.io import DatasetReader

from soc_assets.errors import RasterError

_NO_VALUES = re.compile(r"(?i)lat|lon|latitude|longitude|x|y|time|.*_(bnds|bounds)|crs|spatial_ref|lambert.*|.*_pole")
_PAGE = re.compile(r"GTIFF_DIR:(\d+):")


def chosen(dataset: DatasetReader, name: str, variable: str | None) -> str | None:
    """What GDAL must open instead of the file: one of its variables or pages; None where the file is the raster.

    Args:
        dataset: the open file.
        name: what was opened, for messages.
        variable: the band's setting: the name of a variable, or the number of a page.

    Raises:
        RasterError: the file holds several and none is named, or another one than it holds.
    """
    held = {called(subdataset): subdataset for subdataset in dataset.subdatasets}
    if not held and dataset.count:
        _require_that(dataset, name, variable)
        return None
    if variable in held:
        return held[variable]
    if variable is None and len(held) == 1:
        return None if dataset.count else next(iter(held.values()))
    pages = all(map(_PAGE.match, held.values()))
    what = "pages, of which GDAL would read the first," if pages else "variables"
    asked = "soc.toml does not say which to read" if variable is None else f"`variable` of soc.toml asks for {variable}"
    raise RasterError(
        f"The raster {name} holds {len(held)} {what} ({', '.join(held) or 'none is a raster'}), and {asked}. Name one "
        f'in the entry of the band in [[rasters.bands]]: variable = "{_likely([*held])}"'
    )


def _likely(names: list[str]) -> str:
    """The first that is neither an axis, nor bounds of one, nor a CRS; the very first where all look like these."""
    return next((name for name in names if not _NO_VALUES.fullmatch(name)), names[0] if names else "name")


def called(subdataset: str) -> str:
    """The name of a variable, or the number of a page, in what GDAL calls it."""
    page = _PAGE.match(subdataset)
    return page[1] if page else subdataset.rpartition(":")[2].lstrip("/").strip('"')


def _require_that(dataset: DatasetReader, name: str, variable: str | None) -> None:
    """Refuse the only raster of a file if another one is asked for."""
    only = dataset.tags(1).get("NETCDF_VARNAME") or called(dataset.name) if dataset.driver != "GTiff" else "1"
    if variable is not None and variable != only:
        raise RasterError(
            f"The raster {name} holds one raster, {only}, and `variable` of soc.toml asks for {variable}. "
            "Correct `variable` in the entry of the band in [[rasters.bands]], or take it out."
        )
