"""The views of vectors: `features`, `features_long` and `embedding_long`.

Where steps are aligned by lag each is a union of the copies that have a column per band and lag (see `by_band`) and of
the batches without one; a query of one band reads its columns alone, because the parts that its condition excludes are
left out when it is planned. By calendar, every vector comes from the batches.
"""

from soc_assets.features.sql import by_band
from soc_assets.features.sql.contents import Contents, View
from soc_assets.features.sql.tables import duckdb_columns, literal, table_sql
from soc_assets.features.sql.vector import (
    images_sql,
    keys_sql,
    missing_sql,
    points_joined_sql,
    segments,
    vector_sql,
)
from soc_assets.integrity.schemas import FEATURES, TABLES
from soc_assets.integrity.schemas.columns import BAND, SAMPLE_ID
from soc_assets.settings import Features

_STEP = "nullif(substr({key}, length({band}) + 2), '') AS step"  # of a key
_PLACE = "sample_id, batch, longitude, latitude, year, organic_carbon"


def vector_views(contents: Contents) -> dict[str, View]:
    """The views by name; they need the view `embeddings` and the tables `slots` and `feature_groups`."""
    return {
        "features": _features(contents),
        "features_long": _features_long(contents),
        "embedding_long": _embedding_long(contents),
    }


def _features(contents: Contents) -> View:
    parts = [f"SELECT {_PLACE}, {_of_batches(contents)} {_lacking(contents)}"]
    if by_band.exists(contents):
        parts.insert(0, f"SELECT {_PLACE}, missing_images, {_joined(contents)} AS features{_copied(contents)}")
    # a subquery, not a join: DuckDB hands the vectors on as they are, where a join would pick them row by row
    sql = f"""{_which(contents)}
        SELECT sample_id, studied.location_id, studied.split, studied.multiplicity, studied.weight, longitude,
            latitude, year, organic_carbon, missing_images, features
        FROM (SELECT e.*, ({_studied(contents)}) AS studied FROM ({" UNION ALL ".join(parts)}) e)
        WHERE studied IS NOT NULL"""
    columns = {column.name: column.description for column in FEATURES}
    columns["features"] += f"; {_gaps(contents)}"
    return View(sql, FEATURES.description, columns)


def _features_long(contents: Contents) -> View:
    """Each group of features apart: one of them is read without the others, which no query of a list can do."""
    group = "g.what, g.band, g.lag, g.year, g.season, g.first, g.length"
    of_batches = f"SELECT {_PLACE}, {_of_batches(contents)} {_lacking(contents)}"
    slice_of = "features[g.first + 1 : g.first + g.length] AS vector"
    parts = [f"SELECT sample_id, batch, organic_carbon, {group}, {slice_of} FROM ({of_batches}), feature_groups g"]
    if by_band.exists(contents):
        names = "sample_id, batch, organic_carbon, what, band, lag, year, season, first, length, vector"
        parts.insert(0, _counting(names, _groups(contents)))
    sql = f"""{_which(contents)}
        SELECT sample_id, studied.location_id, studied.split, organic_carbon, what, band, lag, year, season, first,
            length, vector
        FROM (SELECT e.*, ({_studied(contents)}) AS studied FROM ({" UNION ALL ".join(parts)}) e)
        WHERE studied IS NOT NULL"""
    known = {column.name: column.description for column in FEATURES}
    columns = {
        **{name: known[name] for name in ("sample_id", "location_id", "split", "organic_carbon")},
        "what": "embedding or point",
        "band": BAND.description,
        "lag": "steps before sampling; null for static bands and where steps are aligned by calendar",
        "year": "where steps are aligned by calendar",
        "season": "where steps are aligned by calendar",
        "first": "position in features of the first number, from 0",
        "length": "numbers",
        "vector": f"the numbers of features from first on; {_gaps(contents)}",
    }
    return View(sql, "one row per studied sample and group of features: a band and lag", columns)


def _embedding_long(contents: Contents) -> View:
    spec = contents.spec
    rows, width = spec.shape
    images, keys = images_sql(spec, Features(include=("embedding",)), contents.study), keys_sql(spec)
    parts = [
        f"""SELECT e.sample_id, s.band, {_STEP.format(key="e.keys[s.slot + 1]", band="s.band")}, s.lag,
            t.token::INTEGER AS token, e.images[s.slot + 1][t.token + 1]::FLOAT[{width}] AS vector
        FROM (SELECT sample_id, {images} AS images, {keys} AS keys {_lacking(contents)}) e
        CROSS JOIN slots s CROSS JOIN range({rows}) t(token)"""
    ]
    if by_band.exists(contents):
        parts.insert(0, _counting("sample_id, band, step, lag, token, vector", _slots(contents)))
    columns = {
        "sample_id": SAMPLE_ID.description,
        "band": BAND.description,
        "step": "the calendar step that the lag means for this sample: 2012, or 2012_winter; null for static bands",
        "lag": "steps before sampling, 0 is the step of sampling; null for static bands",
        "token": "row of the embedding, 0 where tokens are pooled",
        "vector": "the embedding, null where the image is missing",
    }
    sql = f"{_which(contents)} {' UNION ALL '.join(parts)}"
    return View(sql, "one row per sample, band and step (and token, where they are not pooled)", columns)


def _slots(contents: Contents) -> list[str]:
    """A query over the copies for each band and lag, which are constant in it."""
    spec, queries = contents.spec, []
    rows, width = spec.shape
    for number, slot in enumerate(spec.slots):
        image, band = by_band.image_sql(spec, number), literal(slot.name)
        part = f"({image})[t.token * {width} + 1 : (t.token + 1) * {width}]" if rows > 1 else image
        queries.append(
            f"""SELECT made_from, sample_id, {band} AS band, {_STEP.format(key=f"keys[{number + 1}]", band=band)},
            {_integer(slot.lag)} AS lag, {"t.token::INTEGER" if rows > 1 else "0"} AS token,
            ({part})::FLOAT[{width}] AS vector
            FROM {by_band.copies_sql(contents)}{f" CROSS JOIN range({rows}) t(token)" if rows > 1 else ""}"""
        )
    return queries


def _counting(columns: str, queries: list[str]) -> str:
    """The rows of copies that count; it is decided once above all queries, not in each."""
    named = ", ".join(f"c.{column}" for column in columns.split(", "))  # macros have parameters of the same names
    return f"SELECT {named} FROM ({' UNION ALL '.join(queries)}) c WHERE {by_band.IS_STORED}"


def _which(contents: Contents) -> str:
    return f"WITH {by_band.which_sql(contents)}" if by_band.exists(contents) else ""


def _copied(contents: Contents) -> str:
    return f" FROM {by_band.copies_sql(contents)} WHERE {by_band.IS_STORED}"


def _lacking(contents: Contents) -> str:
    if not by_band.exists(contents):
        return "FROM embeddings"
    return f"FROM {by_band.batches_sql(contents)} WHERE {by_band.IS_LACKING}"


def _of_batches(contents: Contents) -> str:
    spec, features, study = contents.spec, contents.features, contents.study
    return f"{missing_sql(spec, features, study)} AS missing_images, {vector_sql(spec, features, study)} AS features"


def _joined(contents: Contents) -> str:
    """The vector, of the columns of a copy."""
    spec, features = contents.spec, contents.features
    parts = {
        "embedding": lambda: by_band.images_joined_sql(spec, features),
        "point": lambda: points_joined_sql(spec, features, "points"),
    }
    found = [made() for what, made in parts.items() if what in features.include]
    return f"list_concat({', '.join(found)})" if len(found) > 1 else found[0]


def _groups(contents: Contents) -> list[str]:
    """A query over the copies for each group of features; what it is, is constant in it."""
    spec, features = contents.spec, contents.features
    made = {
        "embedding": [by_band.filled_image_sql(spec, features, number) for number in range(len(spec.slots))],
        "point": [by_band.filled_points_sql(spec, features, number) for number in range(len(spec.band_slots))],
    }
    vectors = [vector for what, every in made.items() if what in features.include for vector in every]
    queries, first = [], 0
    for part, vector in zip(segments(spec, features, contents.study), vectors, strict=True):
        constants = f"{literal(part.what)} AS what, {literal(part.band)} AS band, {_integer(part.lag)} AS lag"
        constants += f", NULL::INTEGER AS year, NULL::VARCHAR AS season, {first} AS first, {part.length} AS length"
        queries.append(
            f"SELECT made_from, sample_id, batch, organic_carbon, {constants}, {vector} AS vector "
            f"FROM {by_band.copies_sql(contents)}"
        )
        first += part.length
    return queries


def _studied(contents: Contents) -> str:
    balanced, ledger = (table_sql(contents.data, name, duckdb_columns(TABLES[name])) for name in ("balanced", "ledger"))
    studied = f"(SELECT b.*, l.batch FROM ({balanced}) b JOIN ({ledger}) l USING (sample_id))"
    return f"SELECT b FROM {studied} b WHERE b.sample_id = e.sample_id AND b.batch = e.batch"


def _gaps(contents: Contents) -> str:
    filled = {"zero": "zeros", "nearest_lag": "the nearest lag of the band", "null": "nulls"}
    return f"missing images are {filled[contents.features.missing]}"


def _integer(value: int | None) -> str:
    return f"{'NULL' if value is None else value}::INTEGER"
