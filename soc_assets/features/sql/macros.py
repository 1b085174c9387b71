"""The macros of the database: questions about embeddings as functions of SQL, in plain DuckDB.

Neighbours, distances and drift are taken from the table `neighbour_index` (see `neighbours`), built with the database;
`vec` reads the files as they are. Similarity is the cosine between flattened vectors in which missing images are zeros.
"""

from dataclasses import dataclass

EARTH_KM = 6371.0088  # mean radius


@dataclass(frozen=True)
class Macro:
    """A macro: its parameters, its body, what it answers, and whether it is a table."""

    parameters: str
    body: str
    comment: str
    table: bool = True


def _km(longitude: str, latitude: str) -> str:
    """Great-circle distance in km between a row's place `s` and the parameters, by the haversine formula."""
    half = f"sin(radians(s.latitude - {latitude}) / 2) ** 2"
    other = f"cos(radians({latitude})) * cos(radians(s.latitude)) * sin(radians(s.longitude - {longitude}) / 2) ** 2"
    return f"2 * {EARTH_KM} * asin(least(1, sqrt({half} + {other})))"


# A parameter hides no column: where both have a name (band, lag, sample_id), the columns are renamed first.
_SLOTS = "(SELECT o.slot, o.band AS of_band, o.lag AS of_lag FROM slots o)"

_ROWS = "(SELECT i.sample_id AS found, i.slot, i.coordinates, i.square FROM neighbour_index i)"

_SIMILAR = f"""
WITH chosen AS (SELECT slot FROM {_SLOTS} WHERE bands IS NULL OR list_contains(bands, of_band)),
asked AS (SELECT slot, coordinates, square FROM {_ROWS} WHERE found = sample_id AND slot IN (FROM chosen)),
place AS (SELECT any_value(p.location) AS location
    FROM (SELECT s.sample_id AS found, s.location_id AS location FROM samples s) p WHERE p.found = sample_id),
squares AS (SELECT found, sum(square) AS square FROM {_ROWS} WHERE slot IN (FROM chosen) GROUP BY found),
scored AS (SELECT i.found, sum(array_inner_product(i.coordinates, a.coordinates)) AS inner_product
    FROM {_ROWS} i JOIN asked a ON a.slot = i.slot GROUP BY i.found),
near AS (SELECT s.found, s.inner_product / sqrt(q.square * (SELECT sum(a.square) FROM asked a)) AS similarity
    FROM scored s JOIN squares q ON q.found = s.found WHERE s.found <> sample_id)
SELECT n.found AS sample_id, n.similarity, s.location_id, s.longitude, s.latitude, s.year, s.organic_carbon, s.split
FROM near n JOIN samples s ON s.sample_id = n.found
WHERE NOT (elsewhere AND coalesce(s.location_id = (SELECT location FROM place), false))
ORDER BY n.similarity DESC, n.found LIMIT k"""

_DRIFT = f"""
WITH here AS (FROM {_SLOTS} WHERE of_band = band)
SELECT x.found AS sample_id, array_distance(x.coordinates, y.coordinates)::DOUBLE AS distance,
    array_inner_product(x.coordinates, y.coordinates) / sqrt(x.square * y.square) AS similarity,
    s.longitude, s.latitude, s.year, s.organic_carbon
FROM {_ROWS} x JOIN {_ROWS} y ON y.found = x.found JOIN samples s ON s.sample_id = x.found
WHERE x.slot = (SELECT slot FROM here WHERE of_lag = lag1) AND y.slot = (SELECT slot FROM here WHERE of_lag = lag2)
ORDER BY distance DESC, x.found"""

_BAND_DISTANCE = f"""(SELECT avg(array_distance(x.coordinates, y.coordinates))
FROM {_ROWS} x JOIN {_ROWS} y ON y.slot = x.slot JOIN {_SLOTS} o ON o.slot = x.slot
WHERE x.found = a AND y.found = b AND of_band = band)"""

_NEAREST = f"""(SELECT s.sample_id FROM samples s WHERE s.sample_id IN (SELECT i.sample_id FROM neighbour_index i)
ORDER BY {_km("lon", "lat")}, s.year DESC, s.sample_id LIMIT 1)"""

_WITHIN = f"""
SELECT s.sample_id, {_km("lon", "lat")} AS distance_km, s.location_id, s.longitude, s.latitude, s.year,
    s.organic_carbon, s.split, s.batch
FROM samples s WHERE s.latitude BETWEEN lat - km / 110.5 AND lat + km / 110.5 AND {_km("lon", "lat")} <= km
ORDER BY distance_km, s.sample_id"""

_VEC = """(SELECT vector FROM (SELECT l.vector, l.sample_id AS found, l.band AS of_band, l.lag AS of_lag
    FROM embedding_long l WHERE l.token = 0)
WHERE found = sample AND of_band = band AND (of_lag = lag OR of_lag IS NULL))"""

_FOUND = """FROM (
    SELECT g.first AS start, g.length AS n, g.what, g.band AS of_band, g.lag AS of_lag FROM feature_groups g)
WHERE what = kind AND of_band = band AND (of_lag = lag OR of_lag IS NULL)"""
_GROUP = f"features[(SELECT start + 1 {_FOUND}) : (SELECT start + n {_FOUND})]"

MACROS = {
    "vec": Macro("sample, band, lag", _VEC, "the embedding of one band and lag of a sample, from the files", False),
    "similar": Macro(
        "sample_id, k, bands := NULL, elsewhere := false",
        _SIMILAR,
        "the k samples whose embeddings are most like a sample's: exact cosine over all bands, or over a list of them; "
        "elsewhere leaves out samples of the same place",
    ),
    "similar_to": Macro(
        "lon, lat, k, bands := NULL",
        f"FROM similar({_NEAREST}, k, bands := bands, elsewhere := true)",
        "the k samples elsewhere most like the embedded sample that is nearest to a place (its newest)",
    ),
    "band_distance": Macro(
        "a, b, band",
        _BAND_DISTANCE,
        "mean Euclidean distance between the embeddings of a band of two samples, over the lags that both have",
        False,
    ),
    "drift": Macro(
        "band, lag1, lag2",
        _DRIFT,
        "how far each sample's embedding of a band moved between two lags: distance and cosine, the farthest first",
    ),
    "within_km": Macro("lon, lat, km", _WITHIN, "samples at most that far from a place, the nearest first"),
    "pca": Macro(
        "n",
        """SELECT COLUMNS(lambda c: NOT regexp_matches(c, '^pc[0-9]+$') OR try_cast(substr(c, 3) AS INTEGER) <= n)
        FROM (SELECT p.*, s.longitude, s.latitude, s.year, s.organic_carbon, s.split
            FROM pca_scores p JOIN samples s ON s.sample_id = p.sample_id)""",
        "the first n principal components of each sample, fitted on training samples when the database was built",
    ),
    "feature_group": Macro(
        "features, band, lag, kind := 'embedding'",
        _GROUP,
        "the stretch of a feature vector that belongs to a band and lag",
        False,
    ),
    "feature": Macro(
        "position",
        """SELECT f.sample_id, f.location_id, f.split, f.organic_carbon, f.vector[position - f.first + 1] AS value
        FROM features_long f WHERE f.first <= position AND position < f.first + f.length""",
        "one position of every studied sample's features, from 0 as in feature_index; reads its band and lag alone",
    ),
}


def macro_statements() -> list[str]:
    """What creates and comments the macros, in order."""
    statements = []
    for name, macro in MACROS.items():
        kind = "MACRO TABLE" if macro.table else "MACRO"
        made = "TABLE " if macro.table else ""
        comment = macro.comment.replace("'", "''")
        statements.append(f'CREATE MACRO "{name}"({macro.parameters}) AS {made}{macro.body}')
        statements.append(f"COMMENT ON {kind} \"{name}\" IS '{comment}'")
    return statements
