"""Queries that read each group of features whole: the embedding, the point values, and the samples beside them.

The view `features` holds what the setting `include` asks for; an evaluation compares all groups whatever it says.
"""

from collections.abc import Sequence
from typing import Any

from soc_assets.embedding.spec import Spec
from soc_assets.embedding.tile_cache import POINT_WINDOWS
from soc_assets.features.sql.tables import quoted
from soc_assets.features.sql.vector import Segment, segments, vector_sql
from soc_assets.settings import Features, Study

_IDENTITY = (
    "e.sample_id, b.location_id, b.split, e.longitude, e.latitude, e.year, e.source, e.organic_carbon, "
    "b.multiplicity, b.weight"
)


def group_queries(spec: Spec, features: Features, study: Study, strata: Sequence[str] = ()) -> dict[str, str]:
    """Per group a query of sample_id and a list of numbers; `samples` gives the samples with their split.

    Args:
        spec: the spec whose embeddings the database shows.
        features: `missing` and `alignment` hold here too.
        study: gives the years when steps are aligned by calendar.
        strata: further columns of the view `samples`.
    """
    further = "".join(f", b.{quoted(name)}" for name in strata)
    joined = "FROM embeddings e JOIN samples b USING (sample_id) WHERE b.split IS NOT NULL"
    return {
        "samples": f"SELECT {_IDENTITY}{further} {joined}",
        **{
            what: f"SELECT sample_id, {vector_sql(spec, _only(features, what), study)} FROM embeddings"
            for what in ("embedding", "point")
        },
    }


def group_columns(spec: Spec, features: Features, study: Study) -> dict[str, list[tuple[Any, ...]]]:
    """Per group the meaning of every number: what, band, lag, window (pixels; 0 for embeddings)."""
    return {
        what: [column for part in segments(spec, _only(features, what), study) for column in _columns_of(part)]
        for what in ("embedding", "point")
    }


def vector_columns(spec: Spec, features: Features, study: Study) -> list[tuple[Any, ...]]:
    """The meaning of every number of the view `features`: what, band, lag, window."""
    return [column for part in segments(spec, features, study) for column in _columns_of(part)]


def _columns_of(part: Segment) -> list[tuple[Any, ...]]:
    windows = POINT_WINDOWS if part.what == "point" else (0,) * part.length
    return [(part.what, part.step.key(part.band), part.lag, window) for window in windows]


def _only(features: Features, what: str) -> Features:
    return features.model_copy(update={"include": (what,)})
