"""Findings about files of several bands whose own descriptions or days contradict `layers` of the settings."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from soc_assets.errors import RasterError
from soc_assets.ingest.catalog.layers import Layer, otherwise
from soc_assets.rasters.catalog import variable_of
from soc_assets.rasters.opening import open_raster
from soc_assets.rasters.reading import alpha_band
from soc_assets.reporting.findings import Finding, about


def layers_told_otherwise(rows: Sequence[Mapping[Any, Any]]) -> list[Finding]:
    """A warning for each step for which a file states another one than `layers` of soc.toml.

    Args:
        rows: of the raster catalog; only files of bands with `layers` are opened.
    """
    by_file: dict[tuple[str, str], list[Mapping[Any, Any]]] = {}
    for row in rows:
        if isinstance(row.get("reading"), str) and json.loads(row["reading"]).get("layers"):
            by_file.setdefault((str(row["path"]), str(row["band"])), []).append(row)
    findings = []
    for (path, _), group in by_file.items():
        with contextlib.suppress(RasterError), open_raster(path, variable_of(group[0])) as dataset:
            findings += _of_file(dataset, group)
    return findings


def _of_file(dataset: Any, rows: Sequence[Mapping[Any, Any]]) -> list[Finding]:
    alpha, known = alpha_band(dataset), {int(row["layer"]): row for row in rows}
    usable = [n for n in range(1, dataset.count + 1) if n != alpha]
    layers = [Layer(n, int(row["year"]), None if pd.isna(row["season"]) else row["season"]) for n, row in known.items()]
    return [
        about(
            known[layer.index],
            "files",
            "warning",
            f"band {layer.index} of the file is called {said!r} in it, and `layers` of soc.toml takes it for this step",
            "Give `layers` in the order of the file, or leave it out: then the file's own names count. If the file is "
            "wrong (a mean of 2012 that is stamped 2013-01-01), accept this.",
        )
        for layer, said in otherwise(dataset, usable, layers, str(rows[0]["kind"]))
    ]
