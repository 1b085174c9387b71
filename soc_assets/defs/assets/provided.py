"""What users provide, as external assets: nothing here makes them, and the sensor `new_files` looks for changes."""

from inspect import cleandoc

import dagster as dg

from soc_assets.defs.ui import tables

RASTER_FILES = dg.AssetSpec(
    "raster_files",
    group_name="ingest",
    kinds={"geotiff"},
    owners=tables.OWNERS,
    description=cleandoc("""The rasters that are provided: files in a folder, in a zip file or on object storage.

    [paths] rasters in soc.toml says where, [rasters] which files are which band and step. Only `soc demo`
    and `soc import-tiles` write there. The sensor `new_files` looks for changes."""),
)
SOIL_FILES = dg.AssetSpec(
    "soil_files",
    group_name="ingest",
    kinds={"csv"},
    owners=tables.OWNERS,
    description=cleandoc("""The soil tables that are provided: text, workbooks, Parquet, layers of points.

    [paths] soil in soc.toml says where, [[soil.tables]] how tables are read that do not explain themselves. Only
    `soc demo` writes there. The sensor `new_files` looks for changes."""),
)
