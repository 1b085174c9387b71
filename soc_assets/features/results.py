"""Views over what the evaluation wrote, in soc.duckdb: `evaluation` and `out_of_fold`.

The database is copied, changed and renamed over, so that nobody who has it open is disturbed.
"""

import shutil
from pathlib import Path

import duckdb

from soc_assets import files

VIEWS = {
    "evaluation": "scores of every model by scheme, features, scope and part, with the ends of their 95 % intervals",
    "out_of_fold": "predictions of every model for samples that it was not fitted on",
}


def add_views(database: Path, results: Path) -> None:
    """Add a view for each table of the results that is there.

    Args:
        database: soc.duckdb.
        results: the folder of evaluation.parquet and out_of_fold.parquet.
    """
    found = {name: results / f"{name}.parquet" for name in VIEWS if (results / f"{name}.parquet").is_file()}
    if not found or not database.is_file():
        return
    with files.replacing(database) as temporary:
        shutil.copyfile(database, temporary)
        with duckdb.connect(temporary) as connection:
            for name, path in found.items():
                place = str(path).replace("'", "''")
                connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet('{place}')")
                connection.execute(f"COMMENT ON VIEW {name} IS '{VIEWS[name]}'")
