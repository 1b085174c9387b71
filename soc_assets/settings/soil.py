"""Settings of soil tables: [soil], [soil.columns] and [[soil.tables]] for files that need configuration.

What the values mean in a file is decided in `soc_assets.ingest`; nothing here reads one.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from soc_assets.settings.base import Section

TAIL_THRESHOLD = 50.0
"""Organic carbon (g/kg) above which lies the rare end: balancing is for it, and shares and strata are given by it."""
Depth = Annotated[str, StringConstraints(pattern=r"^(topsoil|any|\d+(\.\d+)?-\d+(\.\d+)?)$")]
"""`0-20` (cm), `topsoil` (whatever begins at the surface) or `any`."""
BelowDetection = Literal["reject", "half_limit"]
Unit = Literal["g/kg", "%", "mg/kg", "organic_matter_%", "organic_matter_g/kg"]
Extra = tuple[str, ...] | dict[str, str]
"""Columns by name or pattern, kept under their own names; or, as `{ soil_type = "Bodenform" }`, under new ones."""


class SoilColumns(Section):
    """Names of the columns in the soil tables; None looks for the usual names."""

    id: str | None = None
    """Identifier of the profile or point."""
    longitude: str | None = None
    """Longitude, or the easting (x, Rechtswert) in the table's `crs`."""
    latitude: str | None = None
    """Latitude, or the northing (y, Hochwert) in the table's `crs`."""
    organic_carbon: str | None = None
    """Organic carbon, or organic matter, in the table's `unit`."""
    survey_date: str | None = None
    """Date of sampling."""
    year: str | None = None
    """Year of sampling, where there is no date."""
    source: str | None = None
    """Origin of the row; without such a column the file's name is the source."""
    depth: str | None = None
    """Depth as one text, `0-20 cm`."""
    depth_upper: str | None = None
    """Upper limit of the depth, cm."""
    depth_lower: str | None = None
    """Lower limit of the depth, cm."""
    east_west: str | None = None
    """E or W (1 or 2 in LUCAS) of longitudes without a sign."""
    north_south: str | None = None
    """N or S of latitudes without a sign."""
    unit: str | None = None
    """The unit of organic carbon in each row, where rows differ."""


class SoilTable(Section):
    """How files whose names match `file` are read; whatever is not set is detected from the file."""

    file: str
    """A file name or a pattern such as `LfU*.xlsx`, case-insensitive; the first entry that matches a file applies."""
    sheet: str | None = None
    """The only sheet of a workbook to read; None reads all."""
    layer: str | None = None
    """The only layer of a GeoPackage to read; None reads all."""
    columns: SoilColumns = SoilColumns()
    """The file's own column names; [soil.columns] does not apply to it, the usual names do."""
    coordinates_from: str | None = None
    """The file, by name, that has the coordinates of this table's points; rows are matched by `id`."""
    crs: str | None = None
    """CRS of the coordinates, for example `EPSG:31468`; None takes the layer's own, and WGS84 for tables."""
    unit: Unit | None = None
    """Unit of organic carbon, or of organic matter, which is divided by 1.724. None takes that of the column's name, of
    a row or column of units, else g/kg."""
    decimal: Literal["auto", ",", "."] = "auto"
    """Decimal separator of numbers stored as text; auto accepts a decimal comma unless the file is separated by
    commas."""
    header_row: int | None = Field(default=None, ge=1)
    """Row of a CSV file or sheet that holds the names of the columns; None detects the row with the names needed."""
    separator: str | None = Field(default=None, min_length=1, max_length=1)
    """Field separator of a CSV file; None takes whichever of , ; | and tab splits the header best."""
    encoding: str | None = None
    """Encoding of a CSV file; None takes UTF-8, or Windows-1252 where the file is not valid UTF-8."""
    source: str | None = None
    """Name of the source; None takes the column, or the file's name."""
    year: int | None = Field(default=None, ge=1800, le=2200)
    """Year of rows that give neither date nor year."""
    date_format: str | None = None
    """Format of the dates, for example `%d/%m/%Y`; None reads ISO and day first."""
    depth: Depth | None = None
    """Depth to keep of this table's rows; None takes that of [soil]."""
    below_detection: BelowDetection | None = None
    """What happens to this table's values below detection; None takes that of [soil]."""
    extra: Extra | None = None
    """Further columns to keep with the samples; None takes those of [soil]."""

    @model_validator(mode="after")
    def _separator_is_no_decimal_sign(self) -> Self:
        if self.separator is not None and self.separator == self.decimal:
            raise ValueError(f"separator and decimal are both {self.separator!r}")
        return self


class SoilLimits(Section):
    """How much a table may hold: small files can unpack to sizes that exceed any machine's memory.

    A file beyond a limit is set aside; the message names the limit, which can be raised for trusted files.
    """

    max_bytes: int = Field(default=2_000_000_000, ge=1000)
    """Bytes of a table in memory: of a workbook, of Parquet and of layers once unpacked; of a CSV file, which is read
    row by row, the text of the columns that are used."""
    max_cells: int = Field(default=50_000_000, ge=1000)
    """Rows times columns of the sheets of a workbook, of a Parquet file or of a layer, including empty cells in
    between."""
    max_columns: int = Field(default=16_384, ge=10)
    """Columns of a table."""
    max_text: int = Field(default=1_000_000, ge=1000)
    """Characters of a cell; a line of a CSV file may have ten times as many."""


class Soil(SoilLimits):
    """How soil tables are read."""

    columns: SoilColumns = SoilColumns()
    """Column names where they differ from LUCAS and from the combined file, in files without an entry in `tables`."""
    below_detection: BelowDetection = "reject"
    """`< LOD` and the like: reject the row, or, where a limit is given (`< 2.0`), take half of it."""
    depth: Depth = "0-20"
    """Depth to keep, cm: a row that states another depth is rejected, one without a depth is not. `topsoil` takes
    whatever begins at the surface, `any` everything."""
    horizons: Literal["mean", "spline", "filter"] = "mean"
    """Profiles given by horizons, under a `depth` of two limits: the mean of the horizons that overlap the depth,
    weighted by the overlap; a mass-preserving spline; or only rows that state the depth."""
    min_cover: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Minimum share of the depth that the horizons of a profile must cover."""
    spline_smoothing: float = Field(default=0.1, ge=0)
    """Lambda of the spline; 0 keeps the mean of each horizon exactly."""
    extra: Extra = ()
    """Further columns of the tables to keep with the samples, by name or pattern (`LC*`); land cover, land use,
    soil type, laboratory and method are always kept where a table has them."""
    tables: tuple[SoilTable, ...] = ()
    """How to read files that are not self-describing: columns, CRS, unit, dates."""
