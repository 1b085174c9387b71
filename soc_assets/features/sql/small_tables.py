"""The small tables that the database holds itself: what is in them, and a comment for each column."""

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from soc_assets.features.sql import neighbours
from soc_assets.features.sql.vector import Segment, segments
from soc_assets.features.sql.views import Columns, Contents

_INDEX = {
    "position": "from 0; in SQL features[position + 1]",
    "what": "embedding or point",
    "band": "raster variable, or group of them",
    "lag": "steps before sampling; null for static bands and where steps are aligned by calendar",
    "year": "where steps are aligned by calendar",
    "season": "where steps are aligned by calendar",
    "row": "token of the image, 0 where tokens are pooled",
    "dimension": "of the embedding",
}
TABLE_COMMENTS: dict[str, tuple[str, Columns]] = {
    "slots": (
        "bands and lags in the order of the feature vector",
        {
            "slot": "position, from 0",
            "band": _INDEX["band"],
            "kind": "static, yearly or seasonal",
            "lag": _INDEX["lag"],
        },
    ),
    "feature_index": ("position in features (from 0; in SQL features[position + 1]): what stands there", _INDEX),
    "feature_groups": (
        "the stretches of features: a band and lag each",
        {
            "what": _INDEX["what"],
            "band": _INDEX["band"],
            "lag": _INDEX["lag"],
            "year": _INDEX["year"],
            "season": _INDEX["season"],
            "first": "position of the first feature, from 0",
            "length": "features",
        },
    ),
    "neighbour_index": ("behind similar, band_distance and drift: one row per image", neighbours.COLUMNS),
    "pca_scores": ("principal components of each embedded sample; see the macro pca", {"sample_id": "the sample"}),
    "pca_variance": (
        "how much the components explain",
        {"component": "number of the component", "share": "of the variance of the training samples it was fitted on"},
    ),
    "batch_inputs": (
        "digests that the batches' files would have if they were made now, when the database was built",
        {"batch": "key of the batch", "inputs": "digest of its inputs", "labels": "digest of its labels"},
    ),
    "build_info": ("what this database was built from", {"key": "name", "value": "value"}),
}


def make_small_tables(
    connection: duckdb.DuckDBPyConnection,
    contents: Contents,
    batch_inputs: Mapping[str, tuple[str, str]],
    info: Mapping[str, str],
) -> None:
    """Make those that follow from spec and settings: slots, feature_groups, feature_index, batch_inputs, build_info.

    Args:
        connection: to the database under construction.
        contents: what it shows.
        batch_inputs: of each batch, the digests of its inputs and labels now.
        info: what build_info keeps.
    """
    slots = [(number, slot.name, slot.kind, slot.lag) for number, slot in enumerate(contents.spec.slots)]
    connection.execute("CREATE TABLE slots (slot INTEGER, band VARCHAR, kind VARCHAR, lag INTEGER)")
    connection.executemany("INSERT INTO slots VALUES (?, ?, ?, ?)", [list(slot) for slot in slots])
    groups = _group_rows(segments(contents.spec, contents.features, contents.study))
    connection.register("groups", groups)
    connection.execute("CREATE TABLE feature_groups AS SELECT * EXCLUDE (width) FROM groups")
    connection.execute(
        """CREATE TABLE feature_index AS
        SELECT (first + n)::INTEGER AS position, what, band, lag, year, season,
          (n // width)::INTEGER AS "row", (n % width)::INTEGER AS dimension
        FROM (SELECT *, unnest(range(length)) AS n FROM groups) ORDER BY position"""
    )
    connection.unregister("groups")
    connection.execute("CREATE TABLE batch_inputs (batch VARCHAR, inputs VARCHAR, labels VARCHAR)")
    rows = [[key, *digests] for key, digests in batch_inputs.items()]
    if rows:
        connection.executemany("INSERT INTO batch_inputs VALUES (?, ?, ?)", rows)
    connection.execute("CREATE TABLE build_info (key VARCHAR, value VARCHAR)")
    connection.executemany("INSERT INTO build_info VALUES (?, ?)", [list(pair) for pair in info.items()])


def _group_rows(parts: list[Segment]) -> pa.Table:
    rows, first = [], 0
    for part in parts:
        rows.append((part.what, part.band, part.lag, part.step.year, part.step.season, first, part.length, part.width))
        first += part.length
    text, number = pa.string(), pa.int32()
    kinds = {"what": text, "band": text, "lag": number, "year": number, "season": text}
    kinds |= {"first": number, "length": number, "width": number}
    columns = zip(*rows, strict=True)
    return pa.table({name: pa.array(v, kind) for (name, kind), v in zip(kinds.items(), columns, strict=True)})
