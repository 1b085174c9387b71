"""Checks of `soc.duckdb` before a model is fitted on it: the view has every embedded sample, and complete vectors.

Counting reads one column of every batch. Vectors are checked in the first `ROWS` rows only: building all of them takes
as long as reading them for training, which refuses vectors of unequal length, and `soc_assets.embedding.check` has
checked every number in the files.
"""

from collections.abc import Mapping
from pathlib import Path

import duckdb
import pandas as pd

from soc_assets.embedding.spec import Spec
from soc_assets.errors import DatabaseError
from soc_assets.features.sql.opening import reading
from soc_assets.features.sql.vector import segments
from soc_assets.reporting.findings import Finding, of_output
from soc_assets.settings import Features, Study

CHECKS = ("count_equals_embeddings", "vectors")
ROWS = 256
CURE = "The database counts as stale now: `soc run` builds it again from the batches on disk."
_VECTORS = f"""
    SELECT min(len(features)), max(len(features)),
      count(*) FILTER (len(list_filter(features, lambda x: x IS NULL)) > 0),
      count(*) FILTER (len(list_filter(features, lambda x: NOT isfinite(x))) > 0)
    FROM (SELECT features FROM features LIMIT {ROWS})"""


def check_database(
    database: Path,
    spec: Spec,
    batches: Mapping[str, Path],
    ledger: pd.DataFrame,
    studied: pd.Series,
    features: Features,
    study: Study,
) -> list[Finding]:
    """Everything wrong with the view `features`.

    Args:
        database: soc.duckdb.
        spec: the spec that it should show.
        batches: the files of the batches that are there, by key.
        ledger: sample_id, batch.
        studied: ids of the samples studied.
        features: how vectors are put together.
        study: gives the years where steps are aligned by calendar.
    """
    try:
        with reading(database) as connection:
            count = _count(connection, ledger, studied, batches)
            length = sum(part.length for part in segments(spec, features, study))
            vectors = _vectors(connection, length, features.missing)
    except (duckdb.Error, DatabaseError) as error:
        return [of_output("count_equals_embeddings", "error", str(database), f"it cannot be read ({error})", CURE)]
    found = [("count_equals_embeddings", words) for words in count] + [("vectors", words) for words in vectors]
    return [of_output(check, "error", str(database), words, CURE) for check, words in found]


def _count(
    connection: duckdb.DuckDBPyConnection, ledger: pd.DataFrame, studied: pd.Series, batches: Mapping[str, Path]
) -> list[str]:
    shown = connection.execute("SELECT sample_id FROM features").df()["sample_id"]
    expected = set(ledger.loc[ledger["batch"].isin(list(batches)), "sample_id"]) & set(studied)
    words = []
    if missing := sorted(expected - set(shown)):
        words.append(
            f"{len(missing)} of {len(expected)} embedded samples of the study are not in the view (first {missing[0]})"
        )
    if more := sorted(set(shown) - expected):
        words.append(f"{len(more)} samples of the view are not embedded samples of the study (first {more[0]})")
    if not shown.is_unique:
        twice = shown[shown.duplicated()]
        words.append(f"{twice.nunique()} samples are in the view twice (first {twice.iloc[0]})")
    return words


def _vectors(connection: duckdb.DuckDBPyConnection, length: int, missing: str) -> list[str]:
    [indexed] = connection.execute("SELECT count(*) FROM feature_index").fetchone() or (0,)
    shortest, longest, with_null, not_finite = connection.execute(_VECTORS).fetchone() or (None, None, 0, 0)
    words = []
    if indexed != length:
        words.append(f"feature_index has {indexed:,} positions, and the spec gives {length:,}")
    if shortest is not None and (shortest, longest) != (length, length):
        words.append(f"vectors have {shortest:,} to {longest:,} features, expected {length:,}")
    if with_null and missing == "zero":
        words.append(f"{with_null} vectors have nulls, although missing images are zeros")
    if not_finite:
        words.append(f"{not_finite} vectors have numbers that are not finite")
    return words
