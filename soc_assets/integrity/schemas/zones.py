"""The zonal tables of maps."""

from soc_assets.integrity.schemas.columns import Column, Table

MAP_ZONES = Table(
    "maps/[!.]*/[!.]*/zones/[!.]*.parquet",
    "figures of a map by zone: one row per map and polygon",
    (
        Column("model", "string", "digest of the model", nullable=False),
        Column("period", "string", "2023, or 2023_summer", nullable=False),
        Column("map_digest", "string", "of the map that the figures are of"),
        Column("zones", "string", "file of the polygons", nullable=False),
        Column("zone", "int64", "number of the polygon in the file, from 1", nullable=False),
        Column("name", "string", "of the zone", nullable=False),
        Column("attributes", "map<string, string>", "columns of the file"),
        Column("area_km2", "float64", "area of the polygon on the ellipsoid, km2", nullable=False),
        Column("mapped_km2", "float64", "area of it where the map has a value, km2", nullable=False),
        Column("share_mapped", "float64", "mapped_km2 of area_km2", nullable=False),
        Column("mean", "float64", "of organic carbon, weighted by area, g/kg"),
        Column("std", "float64", "standard deviation of organic carbon over the mapped area, g/kg"),
        Column("p05", "float64", "organic carbon that 5 % of the mapped area do not exceed, g/kg"),
        Column("p25", "float64", "organic carbon that 25 % of the mapped area do not exceed, g/kg"),
        Column("p50", "float64", "organic carbon that half of the mapped area does not exceed, g/kg"),
        Column("p75", "float64", "organic carbon that 75 % of the mapped area do not exceed, g/kg"),
        Column("p95", "float64", "organic carbon that 95 % of the mapped area do not exceed, g/kg"),
        Column("mean_width", "float64", "mean width of the cells' prediction intervals, g/kg"),
        Column("share_applicable", "float64", "of the mapped area inside the area of applicability; null if unknown"),
    ),
)
