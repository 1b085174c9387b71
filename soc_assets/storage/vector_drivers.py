"""Which drivers of OGR may open a file of polygons or points: by its suffix, or as the settings allow."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

SUFFIXES = (".geojson", ".json", ".gpkg", ".shp", ".fgb", ".kml", ".gml", ".gdb")
"""What is opened; everything else is to be saved as one of them, or allowed by a setting."""
_ALLOWED: dict[str, Mapping[str, tuple[str, ...]]] = {}


def allow(files: Iterable[Path | None], drivers: Mapping[str, Sequence[str]]) -> None:
    """Note what the settings allow some files in addition to `SUFFIXES`.

    Args:
        files: those that the settings name, with `|layer=name` where they name a layer.
        drivers: of GDAL, by suffix.
    """
    own = {f".{suffix.lower().lstrip('.')}": tuple(names) for suffix, names in drivers.items()}
    for file in files:
        if file is not None:
            _ALLOWED[_place(str(file).partition("|")[0])] = own


def drivers_of(path: Path) -> tuple[str, ...]:
    """The drivers that the settings allow for a file whose suffix is none of `SUFFIXES`."""
    return () if path.suffix.lower() in SUFFIXES else _ALLOWED.get(_place(path), {}).get(path.suffix.lower(), ())


def _place(path: Path | str) -> str:
    return str(Path(path).absolute())
