"""Predicting at new points: read the rasters around them, embed them as the model's samples were, apply the model.

The embedding spec, the feature set and the way that features are put together are those that the registered model was
fitted on, whatever soc.toml says now. A point that cannot be predicted is reported with its reason; the others are
predicted.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder.encoder import load_encoder
from soc_assets.embedding.parquet import to_table
from soc_assets.embedding.spec import Spec, all_specs
from soc_assets.errors import SocError, TrainingError
from soc_assets.features.matrix import read_matrix
from soc_assets.features.sql.groups import group_columns, group_queries
from soc_assets.geo.grid import Grid
from soc_assets.geo.projection import to_metres
from soc_assets.geo.reference_grid import grid_of
from soc_assets.ingest.soil.points import Fault, first_fault, free_names, of_the_file, read_point_table, understood
from soc_assets.project import Project
from soc_assets.rasters.catalog import read_table
from soc_assets.rasters.index import RasterIndex
from soc_assets.regression.design.design import Design, columns_table, make_design
from soc_assets.regression.final import raw_features
from soc_assets.runtime import progress
from soc_assets.settings import Features, Soil, Study

NUMBERS = ("predicted", "lower", "upper", "dissimilarity", "applicable")
NAMES = (*NUMBERS, "missing_images", "reason")
"""Columns that a prediction adds; see `predict_values`."""
_AT_ONCE = 2048
_STRANGE = (
    "the model gives no number: the rasters hold infinity or absurd numbers here; is a nodata value not declared?"
)


@dataclass(frozen=True)
class Registered:
    """The loaded model, its origin, and what it was fitted on.

    Attributes:
        model: has `predict` of raw features [n, d].
        uri: what it is called.
        spec: digest of the embedding spec.
        features: the feature set.
        most_missing: images that a training sample lacks at most; None where the model was registered without it.
        vector: how its features are put together; None takes [features] of the settings.
        study: its years; None takes [study] of the settings.
    """

    model: Any
    uri: str
    spec: str
    features: str
    most_missing: int | None = None
    vector: Features | None = None
    study: Study | None = None


def read_points(path: Path, soil: Soil | None = None, layer: str | None = None, **how: str | None) -> pd.DataFrame:
    """A table of points, in any format that soil tables may have; see `soil.points.read_point_table`.

    Raises:
        SoilError: the file or a needed column is missing, or a row does not fit its header.
    """
    return read_point_table(Path(path), soil or Soil(), layer, **how)


def predict_points(project: Project, points: pd.DataFrame, registered: Registered) -> pd.DataFrame:
    """The columns of the points' file, untouched, then those of `predict_values`, under names that are free."""
    return beside(points, predict_values(project, points, registered))


def beside(points: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """The columns of the points' file with predictions beside them; see `renamed`."""
    own = of_the_file(points).reset_index(drop=True)
    return pd.concat([own, values.rename(columns=renamed(points)).reset_index(drop=True)], axis=1)


def renamed(points: pd.DataFrame) -> dict[str, str]:
    """What `NAMES` are called beside the file's own columns: `soc_predicted` where those have a `predicted`."""
    return free_names(NAMES, list(of_the_file(points).columns))


def predict_values(project: Project, points: pd.DataFrame, registered: Registered) -> pd.DataFrame:
    """Predict organic carbon at points.

    Args:
        project: settings and paths; the rasters are those of its catalog.
        points: from `read_points`.
        registered: the model.

    Returns:
        Per point predicted, lower, upper (g/kg), dissimilarity, applicable (yes, no, unknown, or null without a
        prediction), missing_images, and reason: why there is no prediction, or too few images for an applicable one;
        "" elsewhere.

    Raises:
        SocError: the model's embedding spec or the catalog is gone.
    """
    spec = _spec(project, registered)
    rows, grid = understood(points).reset_index(drop=True), _grid(project, spec)
    reason = first_fault(faults_of(rows, spec, grid), rows["reason"])
    values = pd.DataFrame(index=rows.index, columns=list(NUMBERS), dtype=float)
    values = values.assign(applicable=pd.Series(dtype="str"), missing_images=pd.Series(dtype="Int64"), reason=reason)
    usable = np.flatnonzero(reason == "")
    embedder = _embedder(project, spec) if len(usable) else None
    for start in range(0, len(usable), _AT_ONCE):
        some = usable[start : start + _AT_ONCE]
        assert embedder is not None
        found = _predict(project, _samples(rows.iloc[some]), spec, embedder, registered)
        values.iloc[some] = found[values.columns].set_axis(some)
        progress.report(start + len(some), len(usable), f"{start + len(some)} points")
    return values


def faults_of(rows: pd.DataFrame, spec: Spec, grid: Grid) -> list[Fault]:
    """Why points with a known place cannot be predicted by this model."""
    placed = rows["reason"] == ""
    off = pd.Series(False, rows.index)
    off[placed] = ~grid.contains(*grid.pixels(rows["longitude"][placed], rows["latitude"][placed]))
    places = rows["longitude"].round(5).astype("str") + ", " + rows["latitude"].round(5).astype("str")
    kinds = {slot.kind for slot in spec.band_slots if slot.lag is not None}
    alone = rows["year"].astype("str") + " is a year alone, and the model reads bands by season: give the date"
    return [
        ("outside the rasters", off, places),
        ("no date", rows["year"].isna() & bool(kinds), rows["undated"]),
        ("no date", rows["season_year"].isna() & ("seasonal" in kinds), alone),
    ]


def _predict(
    project: Project, samples: pd.DataFrame, spec: Spec, embedder: Embedder, registered: Registered
) -> pd.DataFrame:
    embedded = embedder(samples)
    design = _design(project, registered, samples, spec, to_table(samples, spec, embedded))
    features = raw_features(design, registered.features, np.arange(len(samples)))
    missing, images = embedded.missing.sum(axis=1), embedded.missing.shape[1]
    asked = np.flatnonzero((missing < images) & ~np.isinf(features).any(axis=1))
    found = _answers(registered.model, features[asked])
    frame = pd.DataFrame(np.nan, index=range(len(samples)), columns=list(NUMBERS))
    frame.iloc[asked, : found.shape[1]] = found
    frame[["lower", "upper"]] = frame[["lower", "upper"]].clip(lower=0)  # earlier graphs did not
    frame = frame.round(3).assign(missing_images=missing, reason="")
    applicable = frame["applicable"].map({1.0: "yes", 0.0: "no"}).fillna("unknown")
    most = registered.most_missing
    if most is None:
        applicable = applicable.mask((missing > 0) & (applicable == "yes"), "unknown")
    else:
        words = [f"images missing: {n} of {images}, of training samples at most {most}" for n in missing]
        frame["reason"] = pd.Series(words, dtype="str").where(missing > most, "")
        applicable = applicable.mask(missing > most, "no")
    return _without_number(frame.assign(applicable=applicable), missing == images)


def _answers(model: Any, features: np.ndarray) -> np.ndarray:
    """Predictions [n, columns] of rows of features; NaN where the graph refuses the row (see `served`)."""
    if not len(features):
        return np.empty((0, 0))
    try:
        return np.asarray(model.predict(features), float)
    except RuntimeError as error:
        if "Refused: " not in str(error):
            raise
    if len(features) == 1:
        return np.full((1, 1), np.nan)
    half = len(features) // 2
    parts = [_answers(model, part) for part in (features[:half], features[half:])]
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(p, ((0, 0), (0, width - p.shape[1])), constant_values=np.nan) for p in parts])


def _without_number(frame: pd.DataFrame, nothing: np.ndarray) -> pd.DataFrame:
    """Remove predictions made without any image, and those that are not numbers."""
    strange = ~np.isfinite(frame["predicted"].to_numpy(float))
    reason = frame["reason"].mask(strange, _STRANGE).mask(nothing, "no image: all are missing here")
    gone = strange | nothing
    frame = frame.assign(reason=reason, applicable=frame["applicable"].mask(gone))
    frame.loc[gone, ["predicted", "lower", "upper", "dissimilarity"]] = np.nan
    return frame


def _samples(rows: pd.DataFrame) -> pd.DataFrame:
    """Points as the embedding reads samples; year and season are null where the model needs none."""
    names = ["longitude", "latitude", "year", "season", "season_year"]
    ids = [f"p{number:09d}" for number in range(len(rows))]
    labels = {"location_id": "", "organic_carbon": np.nan, "source": "", "batch": ""}
    return rows[names].reset_index(drop=True).assign(sample_id=ids, **labels)


def _design(project: Project, registered: Registered, samples: pd.DataFrame, spec: Spec, table: Any) -> Design:
    """The points' features, by the same SQL as the samples' own."""
    features = registered.vector or project.settings.features
    study = registered.study or project.settings.study
    queries, columns = group_queries(spec, features, study), group_columns(spec, features, study)
    index = pd.Index(samples["sample_id"])
    with duckdb.connect() as connection:
        connection.register("embeddings", table)
        matrices = {
            group: read_matrix(connection, queries[group], index, project.catalog, len(named))
            for group, named in columns.items()
        }
    x, y = to_metres(samples["longitude"].to_numpy(), samples["latitude"].to_numpy(), _grid(project, spec))
    return make_design(samples.assign(x=x, y=y), matrices, {name: columns_table(of) for name, of in columns.items()})


def _grid(project: Project, spec: Spec) -> Grid:
    return grid_of(read_table(project.catalog, project), spec.choices["reference"], spec.grid)


def _embedder(project: Project, spec: Spec) -> Embedder:
    raster_index = RasterIndex.of_catalog(
        read_table(project.catalog, project), spec.bands, spec.choices["reference"], spec.grid
    )
    settings = project.settings.embedding
    encoder = load_encoder(spec, project.checkpoint, settings.drop_path, settings.device, settings.images_at_once)
    return Embedder(spec, raster_index, encoder, settings.cache_mb)


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
