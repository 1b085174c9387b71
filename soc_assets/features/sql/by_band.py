"""SQL over the copies with a column per band and lag, and over the batches that have none or changed since.

At query time the footers of the batches say what they are, and the names of the copies what they were made from: a copy
counts only where both agree. The others are read from the batch itself, so that a view's answer is always that of the
batches. DuckDB reads the columns that a query asks for, and skips files by the statistics of `batch` and `made_from`.
"""

from pathlib import Path

from soc_assets.embedding.spec import Spec
from soc_assets.features.by_band import FACTS, column_of
from soc_assets.features.sql.contents import Contents, batch_files
from soc_assets.features.sql.tables import glob_of, literal, quoted
from soc_assets.features.sql.vector import stand_ins, whole_points_sql
from soc_assets.settings import Features

SCHEMA = "by_band"  # among the files without rows
IS_STORED = "made_from IN (SELECT made_from FROM copied)"
"""Which rows of the copies count."""
IS_LACKING = "batch IN (SELECT batch FROM lacking)"
"""Which rows of the batches have no copy that counts."""
_BATCH, _COPY = "(batch_[0-9]+)_size_[0-9]+[.]parquet$", "(batch_[0-9]+)_([0-9a-f]{16})[.]parquet$"


def exists(contents: Contents) -> bool:
    """Whether copies can count: there is a folder of batches, and vectors are put together by lag."""
    return contents.features.alignment == "lag" and (contents.folder / "_schema.parquet").is_file()


def which_sql(contents: Contents) -> str:
    """Common table expressions: `copied` (batch, made_from) of the copies that count, `lacking` (batch) of the others.

    The digest is that of `soc_assets.features.by_band.made_from`; a batch with two files has none that counts. Among
    those that lack one is '', the file without rows: DuckDB skips files by a list of values only if it has some. They
    are not materialized: a query above such an expression that asks for no column (`count(*)`) would read every one.
    """
    footers = literal(f"{glob_of(contents.folder)}/[b_][as][tc][ch]*.parquet")  # with _schema.parquet: never empty
    facts = " || ' ' || ".join(f"max(decode(value)) FILTER (key = '{fact}'::BLOB)" for fact in FACTS)
    copies = literal(f"{glob_of(contents.by_band)}/*.parquet")
    return f"""present AS NOT MATERIALIZED (
            SELECT regexp_extract(filename, '{_BATCH}', 1) AS batch, filename, size
            FROM {batch_files(contents, "read_blob")}),
        stated AS NOT MATERIALIZED (
            SELECT file_name AS filename, {facts} AS facts FROM parquet_kv_metadata({footers}) GROUP BY file_name),
        known AS NOT MATERIALIZED (
            SELECT batch, any_value(left(sha256(batch || ' ' || facts || ' ' || size), 16)) AS made_from
            FROM present LEFT JOIN stated USING (filename) GROUP BY batch HAVING count(*) = 1),
        named AS NOT MATERIALIZED (
            SELECT regexp_extract(file, '{_COPY}', 1) AS batch, regexp_extract(file, '{_COPY}', 2) AS made_from
            FROM glob({copies})),
        copied AS NOT MATERIALIZED (SELECT batch, made_from FROM known SEMI JOIN named USING (batch, made_from)),
        lacking AS NOT MATERIALIZED (SELECT DISTINCT batch FROM present ANTI JOIN copied USING (batch))"""


def copies_sql(contents: Contents) -> str:
    """A table function over all copies, whether they count or not, and the file without rows."""
    schema = contents.without_rows(SCHEMA)
    return _read(schema, f"{glob_of(contents.by_band)}/*.parquet")


def batches_sql(contents: Contents) -> str:
    """As the view `embeddings`, for conditions on the batch."""
    schema = contents.without_rows("embeddings")
    return _read(schema, f"{glob_of(contents.folder)}/batch_*_size_*.parquet")


def _read(schema: Path, pattern: str) -> str:
    """The file without rows comes last: from the first DuckDB estimates how many rows there are, and so its joins."""
    return f"read_parquet([{literal(pattern)}, {literal(glob_of(schema))}], allow_empty = true)"


def image_sql(spec: Spec, number: int) -> str:
    """The image of a slot, rows x width numbers as FLOAT[], null where it is missing."""
    return f"{quoted(column_of(spec.slots[number]))}::FLOAT[]"


def filled_image_sql(spec: Spec, features: Features, number: int) -> str:
    """The image of a slot with what the setting `missing` puts in a gap."""
    choices = [image_sql(spec, n) for n in stand_ins(spec.slots, number, features)]
    filler = "NULL" if features.missing == "null" else "0"
    return f"coalesce({', '.join(choices)}, list_resize([]::FLOAT[], {spec.shape[0] * spec.shape[1]}, {filler}::FLOAT))"


def images_joined_sql(spec: Spec, features: Features) -> str:
    """All images one after another; most samples have all, and theirs are joined without checking each."""
    numbers = range(len(spec.slots))
    as_they_are = ", ".join(image_sql(spec, number) for number in numbers)
    filled = ", ".join(filled_image_sql(spec, features, number) for number in numbers)
    return f"CASE WHEN missing_images = 0 THEN list_concat({as_they_are}) ELSE list_concat({filled}) END"


def filled_points_sql(spec: Spec, features: Features, number: int) -> str:
    """The point values of a band and lag with what the setting `missing` puts in a gap."""
    choices = [f"points[{n + 1}]" for n in stand_ins(spec.band_slots, number, features)]
    return f"list_transform([coalesce({', '.join(choices)})], lambda p: {whole_points_sql(features)})[1]"
