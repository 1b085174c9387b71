"""Rows of places and dates to predictions that are not rounded: what points and maps have in common.

The embedding spec, the feature set and the way that features are put together are those that the registered model was
fitted on, whatever soc.toml says now.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder.encoder import load_encoder
from soc_assets.embedding.parquet import SCHEMA, to_table
from soc_assets.embedding.spec import Spec, all_specs
from soc_assets.errors import SocError, TrainingError
from soc_assets.features.matrix import read_matrix
from soc_assets.features.sql.groups import group_columns, group_queries
from soc_assets.geo.grid import Grid
from soc_assets.geo.projection import to_metres
from soc_assets.geo.reference_grid import grid_of
from soc_assets.mapping.predictions import Predictions, joined, predict_features
from soc_assets.mapping.registered import Registered
from soc_assets.project import Project
from soc_assets.rasters.catalog import read_table
from soc_assets.rasters.index import RasterIndex
from soc_assets.regression.design.design import Design, columns_table, make_design
from soc_assets.regression.design.windows import window_columns
from soc_assets.regression.final import raw_features
from soc_assets.regression.finetuning.encoded import rows_at_once
from soc_assets.settings import Features, Study


@dataclass(frozen=True)
class Inputs:
    """What a model reads of n rows.

    Attributes:
        features: [n, d] raw features, as the model takes them.
        points: [n, p] point values.
        missing: [n] images that are missing.
        images: of a row.
    """

    features: np.ndarray
    points: np.ndarray
    missing: np.ndarray
    images: int


class Predictor:
    """Predicts rows of places and dates by one model; keeps the rasters that it reads, and the encoder.

    Args:
        project: settings and paths; the rasters are those of its catalog.
        registered: the model.
        cache_mb: most memory for rasters; None takes [embedding] cache_mb.
        kept_mb: most memory for embedded windows that are asked for again; see `Embedder`.

    Raises:
        SocError: the model's embedding spec or the catalog is gone.
    """

    def __init__(self, project: Project, registered: Registered, cache_mb: int | None = None, kept_mb: int = 0) -> None:
        self.project, self.registered, self.spec = project, registered, spec_of(project, registered)
        settings = project.settings
        self._cache_mb, self._kept_mb = cache_mb or settings.embedding.cache_mb, kept_mb
        self.features: Features = registered.vector or settings.features
        self.study: Study = registered.study or settings.study

    @cached_property
    def raster_index(self) -> RasterIndex:
        """The rasters of the spec's bands."""
        catalog = read_table(self.project.catalog, self.project)
        return RasterIndex.of_catalog(catalog, self.spec.bands, self.spec.choices["reference"], self.spec.grid)

    @cached_property
    def grid(self) -> Grid:
        """The reference grid of the model."""
        catalog = read_table(self.project.catalog, self.project)
        return grid_of(catalog, self.spec.choices["reference"], self.spec.grid)

    @cached_property
    def embedder(self) -> Embedder:
        """Reads windows, and embeds them where the model asks for that; weights are loaded at the first use."""
        settings, encoder = self.project.settings.embedding, None
        if self.embeds:
            encoder = load_encoder(
                self.spec, self.project.checkpoint, settings.drop_path, settings.device, settings.images_at_once
            )
        return Embedder(self.spec, self.raster_index, encoder, self._cache_mb, self._kept_mb)

    @cached_property
    def columns(self) -> dict[str, pd.DataFrame]:
        """Per group of features the meaning of every column; of windows those that the model reads."""
        named = {name: columns_table(of) for name, of in group_columns(self.spec, self.features, self.study).items()}
        return named | {group: window_columns(self.spec, group) for group in self.windows}

    @cached_property
    def _queries(self) -> dict[str, str]:
        """Per group of features its SQL."""
        return group_queries(self.spec, self.features, self.study)

    @property
    def embeds(self) -> bool:
        """Whether the model reads embeddings; a fine-tuned one has its encoder within it."""
        return "embedding" in self.registered.features.split("+")

    @property
    def rows_at_once(self) -> int | None:
        """Rows of windows whose activations fit in memory; None where the model reads no windows."""
        sides = [int(group.split(":")[1]) for group in self.windows]
        shapes = [(len(self.spec.slots), self.spec.frames, side, side) for side in sides]
        return min((rows_at_once(shape, self.spec.architecture.width) for shape in shapes), default=None)

    @property
    def windows(self) -> list[str]:
        """Groups of windows in the model's feature set, such as `window:16`."""
        return [word for word in self.registered.features.split("+") if word.startswith("window:")]

    def middles(self, rows: pd.DataFrame, group: str) -> np.ndarray:
        """The windows [n, d] of a group, of rows of places and dates."""
        return self.embedder.middles(rows, int(group.split(":")[1])).reshape(len(rows), -1)

    def __call__(self, rows: pd.DataFrame) -> Predictions:
        """Predict n rows of longitude, latitude, year, season and season_year."""
        return self.predict(self.read(rows))

    def read(self, rows: pd.DataFrame) -> "Inputs":
        """What n rows are predicted from; see `__call__`."""
        samples = _as_samples(rows)
        embedded = self.embedder(samples)
        table = to_table(samples, self.spec, embedded).cast(SCHEMA)  # DuckDB reads no float16 from memory
        design = self._design(samples, table)
        features = raw_features(design, self.registered.features, np.arange(len(samples)))
        return Inputs(features, design.matrices["point"], embedded.missing.sum(axis=1), embedded.missing.shape[1])

    def predict(self, inputs: "Inputs") -> Predictions:
        """Predict what was read."""
        return self.answers(inputs.features, inputs.missing, inputs.images)

    def answers(self, features: np.ndarray, missing: np.ndarray, images: int) -> Predictions:
        """Predictions of raw features [n, d] of which [n] images are missing; see `predict_features`."""
        step = self.rows_at_once or max(1, len(features))
        starts = range(0, max(1, len(features)), step)
        parts = ((features[first : first + step], missing[first : first + step]) for first in starts)
        return joined([predict_features(self.registered.model, part, gaps, images) for part, gaps in parts])

    def _design(self, samples: pd.DataFrame, table: Any) -> Design:
        """The rows' features, by the same SQL as the samples' own."""
        queries, columns = self._queries, self.columns
        index = pd.Index(samples["sample_id"])
        with duckdb.connect() as connection:
            connection.register("embeddings", table)
            matrices = {
                group: read_matrix(connection, queries[group], index, self.project.catalog, len(named))
                for group, named in columns.items()
                if group in queries
            }
        matrices |= {group: self.middles(samples, group) for group in self.windows}
        x, y = to_metres(samples["longitude"].to_numpy(), samples["latitude"].to_numpy(), self.grid)
        return make_design(samples.assign(x=x, y=y), matrices, columns)


def _as_samples(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows as the embedding reads samples; year and season are null where the model needs none."""
    names = ["longitude", "latitude", "year", "season", "season_year"]
    ids = [f"p{number:09d}" for number in range(len(rows))]
    labels = {"location_id": "", "organic_carbon": np.nan, "source": "", "batch": ""}
    return rows[names].reset_index(drop=True).assign(sample_id=ids, **labels)


def spec_of(project: Project, registered: Registered) -> Spec:
    """The embedding spec that a model was fitted on.

    Raises:
        SocError: it is gone, or the rasters are not catalogued.
    """
    if not project.catalog.is_file():
        raise SocError(f"{project.catalog} does not exist: run `soc run --to raster_catalog` first.")
    found = [spec for spec in all_specs(project.embeddings) if spec.digest == registered.spec]
    if not found:
        raise TrainingError(
            f"The model {registered.uri} was fitted on embeddings of the spec {registered.spec}, which is not in "
            f"{project.embeddings}. Put its folder back (spec.json is enough), or train again."
        )
    return found[0]
