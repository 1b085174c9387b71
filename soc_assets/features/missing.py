"""How many of its images each sample lacks, counted in the files, whatever the vector is made of."""

from pathlib import Path

import pandas as pd

from soc_assets.embedding.spec import Spec
from soc_assets.features.sql.opening import reading
from soc_assets.features.sql.vector import missing_sql
from soc_assets.settings import Features, Study


def missing_images(database: Path, spec: Spec) -> pd.Series:
    """Missing images by sample_id, of every embedded sample."""
    count = missing_sql(spec, Features(), Study())  # by lag: the images that the sample itself reads
    with reading(database) as connection:
        found = connection.sql(f"SELECT sample_id, {count} AS missing FROM embeddings").df()
    return found.set_index("sample_id")["missing"]
