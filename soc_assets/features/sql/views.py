"""The views of the database: their SQL, and a comment for each of them and each of their columns.

Views read files at query time, by patterns: a batch that is added, rewritten or of another size shows at once.
Those of vectors are in `vector_views`, tables that are built once are in `neighbours` and `components`.
"""

from soc_assets.features.sql.contents import Columns, Contents, View, batch_files
from soc_assets.features.sql.tables import columns_of, glob_of, literal, table_sql
from soc_assets.features.sql.vector_views import vector_views
from soc_assets.integrity.schemas import EMBEDDINGS, TABLES

__all__ = ["Columns", "Contents", "View", "batch_files", "views_of"]

_LOOKED_INTO = ("learning_curve", "source_offsets", "highest_values", "network_choices")  # of the evaluation


def views_of(contents: Contents) -> dict[str, View]:
    """Every view, in an order in which each needs only those before it."""
    simple = ("folds", "rejected", "excluded", "rasters", "gaps", "evaluation", "out_of_fold", *_LOOKED_INTO, "runs")
    return {
        "samples": _samples(contents),
        **{name: _plain(contents, name) for name in (*simple, "map_zones")},
        "predictions": _predictions(contents),
        "embeddings": _embeddings(contents),
        "batches": _batches(contents),
        **vector_views(contents),
        "maps": _maps(contents),
        "map_at_samples": _map_at_samples(contents),
        "map_changes": _map_changes(contents),
    }


def _plain(contents: Contents, name: str) -> View:
    columns = columns_of(contents.data, name)
    comments = {column: comment for column, (_, comment) in columns.items()}
    return View(table_sql(contents.data, name, columns), TABLES[name].description, comments)


def _samples(contents: Contents) -> View:
    sources = {name: columns_of(contents.data, name) for name in ("soil_samples", "balanced", "ledger")}
    soil, balanced, ledger = (table_sql(contents.data, name, columns) for name, columns in sources.items())
    added = [column for column in sources["balanced"] if column not in sources["soil_samples"]]
    sql = f"""SELECT s.*, {", ".join(f'b."{name}"' for name in added)}, l.batch
        FROM ({soil}) s LEFT JOIN ({balanced}) b ON b.sample_id = s.sample_id
        LEFT JOIN ({ledger}) l ON l.sample_id = s.sample_id"""
    comments = {name: comment for columns in sources.values() for name, (_, comment) in columns.items()}
    return View(sql, "usable soil samples with split, multiplicity in training and batch", comments)


def _predictions(contents: Contents) -> View:
    columns = columns_of(contents.data, "model_predictions")
    sql = f"SELECT *, predicted - observed AS residual FROM ({table_sql(contents.data, 'model_predictions', columns)})"
    comments = {column: comment for column, (_, comment) in columns.items()}
    return View(sql, TABLES["model_predictions"].description, {**comments, "residual": "predicted - observed, g/kg"})


def _embeddings(contents: Contents) -> View:
    comments = {column.name: column.description for column in EMBEDDINGS}
    return View(f"SELECT {', '.join(comments)} FROM {batch_files(contents)}", EMBEDDINGS.description, comments)


def _batches(contents: Contents) -> View:
    columns = {
        "batch": "key of the batch, the partition of the asset `embeddings`",
        "state": "missing, stale or fresh: its file against the inputs as they were when the database was built",
        "samples": "samples that the ledger has in it",
        "rows": "rows of its file",
        "spec": "digest of the embedding spec",
        "digest": "of the inputs that its file was made from",
        "weights": "random or pretrained weights",
        "missing_images": "images without a raster, or with too few valid pixels",
        "file": "its Parquet file",
        "bytes": "size of the file",
        "when": "time of the file's last change",
    }
    ledger = table_sql(contents.data, "ledger", columns_of(contents.data, "ledger"))
    pattern = f"{glob_of(contents.folder)}/[b_][as][tc][ch]*.parquet"  # batch_* and _schema.parquet: never empty
    key = "regexp_extract(filename, 'batch_[0-9]+')"
    facts = "map_from_entries(list((key::VARCHAR, decode(value))) FILTER (key::VARCHAR LIKE 'soc.%'))"
    stored = f"""SELECT file_name AS filename, {facts} AS facts
        FROM parquet_kv_metadata({literal(pattern)}) GROUP BY file_name"""
    if not (contents.folder / "_schema.parquet").is_file():
        stored = "SELECT NULL::VARCHAR AS filename, NULL::MAP(VARCHAR, VARCHAR) AS facts WHERE false"
    sql = f"""WITH stored AS ({stored}),
        counted AS (SELECT filename, count(*) AS rows FROM {batch_files(contents)} GROUP BY filename),
        there AS (
            SELECT {key} AS batch, filename, size, last_modified, coalesce(rows, 0) AS rows, facts
            FROM {batch_files(contents, "read_blob")}
            LEFT JOIN counted USING (filename) LEFT JOIN stored USING (filename)
            WHERE filename LIKE '%/batch_%'),
        wanted AS (SELECT batch, count(*) AS samples FROM ({ledger}) GROUP BY batch)
        SELECT coalesce(w.batch, t.batch) AS batch,
            CASE WHEN t.filename IS NULL THEN 'missing'
                WHEN t.facts['soc.inputs'] IS NOT DISTINCT FROM i.inputs
                    AND t.facts['soc.labels'] IS NOT DISTINCT FROM i.labels THEN 'fresh'
                ELSE 'stale' END AS state,
            coalesce(w.samples, 0) AS samples, t.rows, t.facts['soc.spec'] AS spec, t.facts['soc.inputs'] AS digest,
            t.facts['soc.weights'] AS weights, t.facts['soc.missing_images']::INTEGER AS missing_images,
            t.filename AS file, t.size AS bytes, t.last_modified AS "when"
        FROM wanted w FULL JOIN there t ON t.batch = w.batch
        LEFT JOIN batch_inputs i ON i.batch = coalesce(w.batch, t.batch)"""
    return View(sql, "batches of the ledger, and the files of the embedding spec", columns)


def _maps(contents: Contents) -> View:
    return _with_folder(contents, "maps", "period", "of its GeoTIFFs and map.json")


def _map_changes(contents: Contents) -> View:
    return _with_folder(contents, "map_changes", "'change_' || change", "of its GeoTIFFs and change.json")


def _with_folder(contents: Contents, table: str, name: str, words: str) -> View:
    """A table of maps with the folder of each; `name` is the SQL of the folder's own name."""
    columns = columns_of(contents.data, table)
    folder = f"{literal(str(contents.data / 'maps'))} || '/' || model_digest || '/' || {name}"
    sql = f"SELECT *, {folder} AS folder FROM ({table_sql(contents.data, table, columns)})"
    comments = {column: comment for column, (_, comment) in columns.items()}
    return View(sql, TABLES[table].description, {**comments, "folder": words})


def _map_at_samples(contents: Contents) -> View:
    columns = columns_of(contents.data, "map_at_samples")
    added = {
        "observed": "organic carbon of the sample, g/kg",
        "sampled": "year of sampling",
        "split": "train, validation or test; null for samples that are not studied, or came later",
        "residual": "predicted - observed, g/kg",
        "outside": "whether the sample lies outside the map's interval",
    }
    sql = f"""SELECT m.*, s.organic_carbon AS observed, s.year AS sampled, s.split,
            m.predicted - s.organic_carbon AS residual, s.organic_carbon NOT BETWEEN m.lower AND m.upper AS outside
        FROM ({table_sql(contents.data, "map_at_samples", columns)}) m JOIN samples s USING (sample_id)"""
    comments = {column: comment for column, (_, comment) in columns.items()}
    return View(sql, TABLES["map_at_samples"].description, {**comments, **added})
