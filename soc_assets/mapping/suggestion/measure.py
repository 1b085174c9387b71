"""What makes two places alike: the space of the model's dissimilarity, or else point values."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from soc_assets.errors import MapError
from soc_assets.features.matrix import read_matrix
from soc_assets.features.sql.groups import group_queries
from soc_assets.features.sql.opening import reading
from soc_assets.mapping.engine.engines import graph_of_model
from soc_assets.mapping.engine.space import space_of
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.rows import Inputs
from soc_assets.regression.models.applicability import mean_pairwise_distance

_PAIRS = 2000  # samples that a mean distance is taken over
_NUMBERS = 2**22  # of a place and a sample at once


@dataclass(frozen=True)
class Measure:
    """Dissimilarity: the distance to the nearest sample in a space, over the mean distance between samples.

    Attributes:
        places: from what was read of n places to [n, k].
        seen: [m, k] the samples.
        unit: their mean distance.
        words: which space it is.
    """

    places: Callable[[Inputs], np.ndarray]
    seen: np.ndarray
    unit: float
    words: str

    def to_samples(self, places: np.ndarray) -> np.ndarray:
        """Dissimilarity [n] of places [n, k] from the nearest sample."""
        from scipy.spatial.distance import cdist

        step = max(1, _NUMBERS // max(len(self.seen), 1))
        parts = [cdist(places[i : i + step], self.seen).min(axis=1) for i in range(0, len(places), step)]
        return np.concatenate(parts) / self.unit


def measure_of(inputs: MapInputs) -> Measure:
    """How places are compared: in the model's own space; by point values where its graph has none.

    Args:
        inputs: with the loaded model.

    Raises:
        MapError: it has none, and the point values of the samples are not there.
    """
    space = space_of(graph_of_model(inputs.registered.model))
    if space is not None:
        words = "the features of the model, as its dissimilarity"
        return Measure(lambda read: space.places(read.features), space.seen, space.mean_distance, words)
    samples = _point_values(inputs)
    mean, scale = np.nanmean(samples, axis=0), np.nanstd(samples, axis=0)
    scale = np.where(scale > 0, scale, np.inf)

    def standardised(values: np.ndarray) -> np.ndarray:
        return np.nan_to_num((values - mean) / scale)

    seen = standardised(samples)
    some = seen[np.random.default_rng(0).permutation(len(seen))[:_PAIRS]]
    words = "point values, as the model has no dissimilarity"
    return Measure(lambda read: standardised(read.points), seen, mean_pairwise_distance(some) or 1.0, words)


def _point_values(inputs: MapInputs) -> np.ndarray:
    """Point values [m, p] of the studied samples.

    Raises:
        MapError: there is no database.
    """
    project, predictor = inputs.project, inputs.predictor
    if not project.database.is_file():
        raise MapError(f"{project.database} does not exist: run `soc run` first.")
    queries = group_queries(predictor.spec, predictor.features, predictor.study)
    with reading(project.database) as connection:
        ids = connection.sql(queries["samples"]).df()["sample_id"]
        width = len(predictor.columns["point"])
        return read_matrix(connection, queries["point"], pd.Index(ids), project.database, width)
