"""What CF-compliant NetCDF files state and GDAL does not expose: axes, dates, flags, further missing values.

Only tags and coordinate variables are read; files of other formats have none of these.
"""

import re
from contextlib import suppress
from datetime import date, timedelta

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT

from soc_assets.errors import RasterError

Dataset = DatasetReader | WarpedVRT
_WAYS = ("north", "east")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_SINCE = re.compile(r"(second|minute|hour|day|month|year)s? since (\d{1,4})-(\d{1,2})-(\d{1,2})")
_PER_DAY = {"second": 86_400, "minute": 1_440, "hour": 24, "day": 1}
_REAL = {"", "standard", "gregorian", "proleptic_gregorian"}  # calendars
_YEARS = {"noleap": 365, "365_day": 365, "360_day": 360}  # days of a year in model calendars
_UNEVEN = 0.1  # pixels by which the coordinates of an axis may differ from even steps


def degrees(way: str) -> set[str]:
    """Spellings of the unit of an axis in degrees `north` or `east`."""
    short = way[0]
    return {f"degree{s}{line}{name}" for s in ("", "s") for line, name in (("_", way), ("", way), ("_", short))}


def is_netcdf(dataset: Dataset) -> bool:
    """Whether GDAL reads the file as NetCDF."""
    return dataset.driver == "netCDF"


def axes_in_degrees(dataset: Dataset) -> dict[str, str]:
    """The names of the variables in degrees `north` and `east`, as far as there are such."""
    if not is_netcdf(dataset):
        return {}
    units = {name.removesuffix("#units"): unit.lower() for name, unit in dataset.tags().items() if "#units" in name}
    found = ((way, next((name for name, unit in units.items() if unit in degrees(way)), "")) for way in _WAYS)
    return {way: name for way, name in found if name}


def missing_values(dataset: Dataset, band: int) -> list[float]:
    """Stored numbers of `missing_value`, of which GDAL exposes at most one, and none if there is a `_FillValue`."""
    if not is_netcdf(dataset):
        return []
    tags, kind = dataset.tags(band), np.dtype(dataset.dtypes[band - 1])
    numbers = [float(text) for text in _NUMBER.findall(tags.get("missing_value", ""))]
    if kind.kind == "u":  # written as signed, read as _Unsigned
        numbers = [number + 2.0 ** (8 * kind.itemsize) if number < 0 else number for number in numbers]
    return numbers


def has_flags(dataset: Dataset, band: int) -> bool:
    """Whether the numbers of a band are codes with meanings: `flag_values` or `flag_masks`."""
    tags = dataset.tags(band) if is_netcdf(dataset) else {}
    return "flag_meanings" in tags and bool({"flag_values", "flag_masks"} & {*tags})


def dates(dataset: Dataset) -> list[str]:
    """The day of each band by the time axis, as YYYY-MM-DD; empty where the file does not say or no day exists."""
    if not is_netcdf(dataset):
        return []
    tags = dataset.tags()
    time = next((name[:-6] for name, unit in tags.items() if name.endswith("#units") and _SINCE.match(unit)), "")
    places = [dataset.tags(band).get(f"NETCDF_DIM_{time}") for band in range(1, dataset.count + 1)]
    if not time or None in places:
        return []
    calendar = tags.get(f"{time}#calendar", "").lower()
    with suppress(ValueError, OverflowError):
        return [_day(float(place or 0), tags[f"{time}#units"], calendar) for place in places]
    return []


def _day(value: float, units: str, calendar: str) -> str:
    parts = _SINCE.match(units)
    if parts is None or (calendar not in _REAL and calendar not in _YEARS):
        raise ValueError(units)
    unit, year, month, day = parts[1], *(int(part) for part in parts.groups()[1:])
    if unit in ("month", "year"):
        months = 12 * year + month - 1 + int(np.floor(value * (12 if unit == "year" else 1)))
        return date(months // 12, months % 12 + 1, min(day, 28)).isoformat()
    days = value / _PER_DAY[unit]
    if calendar in _REAL:
        return (date(year, month, day) + timedelta(days=int(np.floor(days)))).isoformat()
    length = _YEARS[calendar]
    first = (date(2001, month, day).timetuple().tm_yday - 1) if length == 365 else 30 * (month - 1) + day - 1
    whole, rest = divmod(int(np.floor(first + days)), length)
    if length == 360:
        return date(year + whole, rest // 30 + 1, min(rest % 30 + 1, 28)).isoformat()
    in_year = date(2001, 1, 1) + timedelta(days=rest)
    return in_year.replace(year=year + whole).isoformat()


def require_even_axes(dataset: Dataset, name: str) -> None:
    """Refuse a file whose longitudes and latitudes are not evenly spaced along columns and rows, as GDAL assumes.

    Raises:
        RasterError: names the file, the axis and a fix.
    """
    axes = axes_in_degrees(dataset)
    if len(axes) < 2 or (dataset.crs and not dataset.crs.is_geographic):
        return
    north, east = (_values(dataset, axes[way]) for way in _WAYS)
    if north is None or east is None:
        return
    a = dataset.transform
    columns = a.c + a.a * (np.arange(dataset.width) + 0.5)
    rows = a.f + a.e * (np.arange(dataset.height) + 0.5)
    if (len(north), len(east)) == (len(columns), len(rows)) and _apart(north, columns) < abs(a.a):
        raise RasterError(
            f"The raster {name} is stored with {axes['north']} along its columns and {axes['east']} along its rows, so "
            f"that it lies on its side. {_cure('Turn it about', _transposed(name, axes))}"
        )
    for way, axis, even, size in (("north", north, rows, a.e), ("east", east, columns, a.a)):
        if len(axis) == len(even) and (off := _apart(axis, even) / abs(size)) > _UNEVEN:
            raise RasterError(
                f"The raster {name} has uneven steps along {axes[way]} ({_steps(axis)} degrees): taken as even, its "
                f"pixels would lie up to {off:.2g} pixels off. "
                f"{_cure('Interpolate it to even steps', _interpolated(name, axes[way]))}"
            )


def _cure(what: str, how: str) -> str:
    return f"{what}, in Python (pip install xarray netCDF4 scipy): {how}"


def _transposed(name: str, axes: dict[str, str]) -> str:
    order = f'..., "{axes["north"]}", "{axes["east"]}"'
    return f'import xarray; xarray.open_dataset("{_file(name)}").transpose({order}).to_netcdf("turned.nc")'


def _interpolated(name: str, axis: str) -> str:
    even = f"numpy.linspace(*d.{axis}.values[[0, -1]], d.{axis}.size)"
    return (
        f'import numpy, xarray; d = xarray.open_dataset("{_file(name)}"); d.interp({axis}={even}).to_netcdf("even.nc")'
    )


def _file(name: str) -> str:
    return name.rpartition("/")[2]


def _steps(axis: np.ndarray) -> str:
    steps = np.abs(np.diff(axis))
    return f"{steps.min():.4g} to {steps.max():.4g}"


def _apart(axis: np.ndarray, even: np.ndarray) -> float:
    """The largest deviation of coordinates from even spacing, in either direction, modulo full turns."""
    away = np.sort(axis) - np.sort(even)
    return float(np.abs(away - 360 * np.round(np.median(away) / 360)).max())


def _values(dataset: Dataset, axis: str) -> np.ndarray | None:
    """The coordinates of an axis [n]; None where the variable is of two dimensions, or cannot be read."""
    name = dataset.name
    file = name.split(":", 1)[1].rpartition(":")[0].strip('"') if name.upper().startswith("NETCDF:") else name
    with suppress(RasterioError), rasterio.open(f'NETCDF:"{file}":{axis}') as opened:
        return opened.read(1)[0].astype(float) if opened.height == 1 else None
    return None
