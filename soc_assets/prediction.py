"""Predicting at new points: read the rasters round them, embed them as the model's samples were, ask the model.

The embedding spec and the feature set are those that the registered model was fitted on, whatever soc.toml says now.
Reading tables of soil samples is the ingest stage's; here a plain table of points is enough.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from soc_assets.embedding.atlas import Atlas
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encode import load_encoder
from soc_assets.embedding.parquet import to_table
from soc_assets.embedding.spec import Spec, all_specs
from soc_assets.errors import SocError, TrainingError
from soc_assets.features.groups import group_columns, group_queries
from soc_assets.ingest.grid import grid_of
from soc_assets.ingest.rasters.kept import read_table
from soc_assets.ingest.soil.columns import USUAL_NAMES, find_columns
from soc_assets.ingest.soil.values import to_dates, to_seasons
from soc_assets.project import Project
from soc_assets.regression.design import Design, columns_table, make_design
from soc_assets.regression.final import raw_features
from soc_assets.sampling.metres import to_metres
from soc_assets.settings import SoilColumns

NAMES = ("predicted", "lower", "upper", "dissimilarity", "applicable")
_AT_ONCE = 2048


@dataclass(frozen=True)
class Registered:
    """What is asked: the loaded model, where it came from, and what it was fitted on."""

    model: Any
    uri: str
    spec: str
    features: str


def read_points(path: Path) -> pd.DataFrame:
    """A table of points, CSV: longitude and latitude (WGS84 degrees), and a date or a year where bands have time.

    Returns:
        The file's columns, and longitude, latitude, year, season, season_year as the embedding reads them, prefixed by
        an underscore.

    Raises:
        SocError: the file or a needed column is missing, or coordinates are no numbers.
    """
    if not path.is_file():
        raise SocError(f"{path} does not exist. Name a CSV file with columns longitude and latitude.")
    table = pd.read_csv(path, sep=None, engine="python", dtype=str, keep_default_na=False)
    places = {
        field: str(table.columns[at])
        for field, at in find_columns(list(map(str, table.columns)), SoilColumns()).items()
    }
    for field in ("longitude", "latitude"):
        if field not in places:
            raise SocError(
                f"{path} has no column for {field}; found {', '.join(map(str, table.columns))}. Expected one of "
                f"{', '.join(USUAL_NAMES[field])}."
            )
        table[f"_{field}"] = pd.to_numeric(table[places[field]], errors="coerce")
        if (bad := table[f"_{field}"].isna()).any():
            raise SocError(
                f"{path}, row {int(np.argmax(bad)) + 2}: {field} {table[places[field]][bad].iloc[0]!r} is no number."
            )
    return table.assign(**_dates(table, places))


def predict_points(
    project: Project, points: pd.DataFrame, registered: Registered, tell: Any = lambda done, total, words: None
) -> pd.DataFrame:
    """Predict organic carbon at points.

    Args:
        project: settings and paths; the rasters are those of its catalog.
        points: from `read_points`.
        registered: the model.
        tell: told how many points are done.

    Returns:
        The file's columns, then predicted, lower, upper (g/kg), dissimilarity, applicable (yes, no or unknown) and
        missing_images. Points without any image have no prediction.

    Raises:
        SocError: the model's embedding spec or the catalog is gone, or points need a year.
    """
    spec = _spec(project, registered)
    timed = any(slot.lag is not None for slot in spec.band_slots)
    if timed and points["_year"].isna().any():
        raise SocError(
            "Some points have neither date nor year, but the model reads bands with time: add a column `year`."
        )
    embedder = _embedder(project, spec)
    parts = []
    for start in range(0, len(points), _AT_ONCE):
        some = points.iloc[start : start + _AT_ONCE]
        parts.append(_predict(project, some, spec, embedder, registered))
        tell(start + len(some), len(points), f"{start + len(some)} points")
    own = points[[name for name in points.columns if not name.startswith("_")]].reset_index(drop=True)
    return pd.concat([own, pd.concat(parts, ignore_index=True)], axis=1)


def _predict(
    project: Project, points: pd.DataFrame, spec: Spec, embedder: Embedder, registered: Registered
) -> pd.DataFrame:
    samples = _samples(points)
    embedded = embedder(samples)
    design = _design(project, samples, spec, to_table(samples, spec, embedded))
    features = raw_features(design, registered.features, np.arange(len(samples)))
    found = np.asarray(registered.model.predict(features), float)
    missing = embedded.missing.sum(axis=1)
    nothing = missing == embedded.missing.shape[1]
    found[nothing] = np.nan
    frame = pd.DataFrame(dict.fromkeys(NAMES, np.nan), index=range(len(samples)))
    frame.iloc[:, : found.shape[1]] = found
    known = frame["applicable"].map({1.0: "yes", 0.0: "no"})
    return frame.assign(applicable=known.fillna("unknown"), missing_images=missing).round(3)


def _samples(points: pd.DataFrame) -> pd.DataFrame:
    n = len(points)
    return pd.DataFrame(
        {
            "sample_id": [f"p{number:09d}" for number in range(n)],
            "location_id": "",
            "organic_carbon": 0.0,
            "source": "",
            "batch": "",
            **{name: points[f"_{name}"].to_numpy() for name in ("longitude", "latitude")},
            "year": points["_year"].fillna(0).astype("Int32").to_numpy(),
            "season": points["_season"].fillna("winter").to_numpy(),
            "season_year": points["_season_year"].fillna(0).astype("Int32").to_numpy(),
        }
    )


def _design(project: Project, samples: pd.DataFrame, spec: Spec, table: Any) -> Design:
    """The points' features, by the same SQL as the samples' own."""
    features, study = project.settings.features, project.settings.study
    queries, columns = group_queries(spec, features, study), group_columns(spec, features, study)
    matrices = {}
    with duckdb.connect() as connection:
        connection.register("embeddings", table)
        for group, named in columns.items():
            values = connection.sql(
                f"SELECT features FROM ({queries[group]}) q(sample_id, features) ORDER BY sample_id"
            )
            flat = [np.array(row[0], dtype=np.float32) for row in values.fetchall()]
            matrices[group] = np.stack(flat).reshape(len(samples), len(named))
    grid = grid_of(read_table(project.catalog, project.root), spec.choices["reference"], spec.grid)
    x, y = to_metres(samples["longitude"].to_numpy(), samples["latitude"].to_numpy(), grid)
    return make_design(samples.assign(x=x, y=y), matrices, {name: columns_table(of) for name, of in columns.items()})


def _embedder(project: Project, spec: Spec) -> Embedder:
    atlas = Atlas.of_catalog(
        read_table(project.catalog, project.root), spec.bands, spec.choices["reference"], spec.grid
    )
    settings = project.settings.embedding
    encoder = load_encoder(spec, project.checkpoint, settings.drop_path, settings.device, settings.images_at_once)
    return Embedder(spec, atlas, encoder, settings.cache_mb)


def _spec(project: Project, registered: Registered) -> Spec:
    if not project.catalog.is_file():
        raise SocError(f"{project.catalog} does not exist: run `soc run --to raster_catalog` first.")
    found = [spec for spec in all_specs(project.embeddings) if spec.digest == registered.spec]
    if not found:
        raise TrainingError(
            f"The model {registered.uri} was fitted on embeddings of the spec {registered.spec}, which is not in "
            f"{project.embeddings}. Put its folder back (spec.json is enough), or train again."
        )
    return found[0]


def _dates(table: pd.DataFrame, places: dict[str, str]) -> dict[str, pd.Series]:
    text = table[places["survey_date"]] if "survey_date" in places else pd.Series("", table.index)
    dates, year = to_dates(text.str.strip().astype("str"))
    if "year" in places:
        year = year.fillna(pd.to_numeric(table[places["year"]], errors="coerce").astype("Int32"))
    season, season_year = to_seasons(dates)
    return {"_year": year, "_season": season, "_season_year": season_year.fillna(year)}
