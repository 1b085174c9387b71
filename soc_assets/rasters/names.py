"""What a band is called for people, and the unit of its values: as soc.toml says, else as its files' tags do.

Names of bands in files, columns and SQL stay what they are; none of this changes a number.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pandas as pd

from soc_assets.errors import SocError
from soc_assets.project import Project
from soc_assets.rasters.catalog import read_table, variable_of
from soc_assets.rasters.cf import Dataset
from soc_assets.rasters.opening import open_raster
from soc_assets.reporting.as_text import plain
from soc_assets.settings import Channel, Rasters

COLUMNS = ("unit", "label")
"""Of the catalog: what the tags of a file say; catalogs of earlier releases lack them."""
_NO_UNIT = ("1", "-", "none", "unitless", "dimensionless", "n/a")
_LONGEST = {"unit": 40, "label": 80}


@dataclass(frozen=True)
class BandName:
    """A band for people.

    Attributes:
        name: in files, columns and SQL.
        label: `Leaf area index`; the name where nothing better is known.
        unit: of its values; "" where it is not known.
    """

    name: str
    label: str
    unit: str = ""

    @property
    def with_unit(self) -> str:
        """`Leaf area index, m2/m2`, for the axis of a figure."""
        return f"{self.label}, {self.unit}" if self.unit else self.label


def tags_of(dataset: Dataset, layer: int) -> dict[str, str | None]:
    """Unit and label of a band of a file, by its tags: GDAL's unit type and description, `long_name` of NetCDF.

    Args:
        dataset: an open raster.
        layer: the band in the file, from 1.
    """
    unit = _clean(dataset.units[layer - 1], "unit")
    label = dataset.tags(layer).get("long_name") or dataset.descriptions[layer - 1]
    return {"unit": None if unit and unit.lower() in _NO_UNIT else unit, "label": _clean(label, "label")}


def band_names(rasters: Rasters, catalog: pd.DataFrame | None = None) -> dict[str, BandName]:
    """Every band by its name, in the order of the settings; of a class raster every class.

    Args:
        rasters: the settings.
        catalog: of rasters; what the tags of a band's files say counts where all of them say the same.
    """
    tags = _tags_by_band(catalog) if catalog is not None else {}
    return {channel.name: _of_channel(channel, tags.get(channel.name, {})) for channel in rasters.channels}


def names_of(project: Project) -> dict[str, BandName]:
    """Every band of a project; a catalog that is missing or damaged says nothing."""
    catalog = None
    with suppress(SocError):
        catalog = read_table(project.catalog, project) if project.catalog.is_file() else None
    return band_names(project.settings.rasters, catalog)


def described_bands(project: Project) -> dict[str, str]:
    """Metadata of a file of features: label and unit of the bands, as JSON; nothing where none is known."""
    known = {key: name for key, name in names_of(project).items() if name.unit or name.label != key}
    words = {key: {"label": name.label, "unit": name.unit} for key, name in known.items()}
    return {"soc.bands": json.dumps(words, ensure_ascii=False)} if words else {}


def _of_channel(channel: Channel, tags: Mapping[str, str]) -> BandName:
    if channel.value is not None:
        label = f"{channel.label} {channel.value}" if channel.label else channel.name
        return BandName(channel.name, label, "share" if channel.unit is None else channel.unit)
    label = channel.label or tags.get("label", "") or channel.name
    return BandName(channel.name, label, tags.get("unit", "") if channel.unit is None else channel.unit)


def _tags_by_band(catalog: pd.DataFrame) -> dict[str, dict[str, str]]:
    found = {}
    for band, rows in catalog.groupby("band", sort=False):
        known = rows if set(COLUMNS) <= set(rows) else pd.DataFrame([_read(rows.iloc[0].to_dict())])
        distinct = {name: known[name].dropna().unique() for name in COLUMNS}
        found[str(band)] = {name: str(values[0]) for name, values in distinct.items() if len(values) == 1}
    return found


def _read(row: Mapping[Any, Any]) -> dict[str, str | None]:
    """What the tags of a file say now, for a catalog that does not know; nothing where it cannot be opened."""
    with suppress(SocError, OSError, IndexError), open_raster(row["path"], variable_of(row)) as dataset:
        return tags_of(dataset, int(row["layer"]))
    return dict.fromkeys(COLUMNS)


def _clean(text: str | None, what: str) -> str | None:
    """A tag on one line, without control characters, cut; None where it is empty."""
    return " ".join(plain(text or "").split())[: _LONGEST[what]] or None
