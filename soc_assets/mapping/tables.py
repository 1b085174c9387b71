"""The tables beside a map, which soc.duckdb shows: a row that says what it holds, and its values at every sample."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from soc_assets.integrity.schemas.maps import MAP_AT_SAMPLES, MAP_CELLS, MAPS
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Cells
from soc_assets.mapping.tile_files import TileLayers
from soc_assets.storage import digest, files

_PLACE = ["sample_id", "longitude", "latitude"]


def places_of_samples(inputs: MapInputs) -> pd.DataFrame:
    """Id and coordinates of every usable sample; none where there is no table of them."""
    path = inputs.project.samples("samples")
    return files.read_table(path, _PLACE) if path.is_file() else pd.DataFrame(columns=_PLACE)


def digest_of_samples(inputs: MapInputs) -> str:
    """Digest of the places of all samples."""
    return digest.of_frame(places_of_samples(inputs))


class AtSamples:
    """Collects a map's values at the samples, tile by tile."""

    def __init__(self, inputs: MapInputs) -> None:
        samples = places_of_samples(inputs)
        pixels = inputs.lattice.reference.pixels(
            samples["longitude"].to_numpy(float), samples["latitude"].to_numpy(float)
        )
        rows, columns = inputs.lattice.cells_of_pixels(*pixels)
        inside = rows >= 0
        self._samples = samples[inside].reset_index(drop=True)
        self._rows, self._columns = rows[inside], columns[inside]
        self._numbers = np.full((4, len(self._rows)), np.nan)
        self._quality = np.zeros(len(self._rows), np.int32)

    def add(self, cells: Cells, tile: TileLayers) -> None:
        """Take in the samples of a tile."""
        r, c = self._rows - cells.top, self._columns - cells.left
        here = np.flatnonzero((r >= 0) & (c >= 0) & (r < cells.shape[0]) & (c < cells.shape[1]))
        self._numbers[:, here] = tile.numbers[:, r[here], c[here]]
        self._quality[here] = tile.quality[r[here], c[here]]

    def table(self, facts: Mapping[str, Any]) -> pd.DataFrame:
        """A row per sample on the map."""
        values = dict(zip(("predicted", "lower", "upper", "dissimilarity"), self._numbers, strict=True))
        known = {"model": facts["uri"], "model_digest": facts["model_digest"], "period": facts["period"]}
        return self._samples.assign(**known, **values, quality=self._quality)[list(MAP_AT_SAMPLES.names)]


def row_of(facts: Mapping[str, Any]) -> pd.DataFrame:
    """What map.json says as one row."""
    values, counts = facts["statistics"]["organic_carbon"], facts["counts"]
    row = {
        name: facts[name]
        for name in ("recipe", "weights", "spec", "model_digest", "period", "season", "digest", "made")
    }
    row |= {"model": facts["uri"], "cells": values["count"]}
    row |= {name: counts[str(number)] for number, name in enumerate(MAP_CELLS)}
    row |= {name: values.get(name, np.nan) for name in ("mean", "std", "min", "max")}
    quantiles = values.get("quantiles", {})
    row |= {f"q{round(100 * float(share)):02d}": quantiles.get(share, np.nan) for share in ("0.05", "0.5", "0.95")}
    year, season = pd.array([facts["year"]], "Int32"), pd.Series([facts["season"]], dtype="str")
    return pd.DataFrame([row]).assign(year=year, season=season)[list(MAPS.names)]


def write_tables(folder: Path, at_samples: AtSamples, facts: Mapping[str, Any]) -> None:
    """Write both tables into a folder."""
    files.write_table(folder / "map.parquet", row_of(facts))
    files.write_table(folder / "samples.parquet", at_samples.table(facts))
