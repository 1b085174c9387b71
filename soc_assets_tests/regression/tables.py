"""Small feature tables with a known signal, in memory and as a DuckDB file."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from soc_assets.regression.design.data import FeatureTable

D = 12


def make_table(n: int = 240, d: int = D, seed: int = 0, noise: float = 1.0) -> FeatureTable:
    """Organic carbon = 20 + linear signal of the first three of d features (different scales) + noise."""
    rng = np.random.default_rng(seed)
    matrix = (rng.normal(size=(n, d)) * np.geomspace(0.01, 100, d) + np.linspace(-50, 50, d)).astype(np.float32)
    z = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    organic_carbon = 20 + 6 * z[:, 0] - 4 * z[:, 1] + 3 * z[:, 2] + rng.normal(0, noise, n)
    names = np.array([f"s{i:05d}" for i in range(n)], dtype=object)
    split = np.array((["train"] * 16 + ["validation"] * 4 + ["test"] * 5) * (n // 25 + 1), dtype=object)[:n]
    return FeatureTable(
        sample_id=names,
        location_id=np.array([f"l{i:05d}" for i in range(n)], dtype=object),
        split=split,
        multiplicity=np.ones(n, dtype=np.int64),
        weight=np.ones(n, dtype=np.float32),
        longitude=rng.uniform(9, 13.5, n),
        latitude=rng.uniform(47.3, 50.5, n),
        year=rng.integers(2012, 2024, n),
        organic_carbon=organic_carbon.astype(np.float64),
        missing_images=np.zeros(n, dtype=np.int64),
        matrix=matrix,
    )


def write_database(path: Path, table: FeatureTable, features: list | None = None) -> Path:
    """soc.duckdb with a view `features` of the documented columns; `features` replaces the vectors."""
    names = [name for name in vars(table) if name != "matrix"]
    frame = pa.Table.from_pandas(pd.DataFrame({name: getattr(table, name) for name in names}))
    vectors = pa.array(list(table.matrix) if features is None else features, type=pa.list_(pa.float32()))
    frame = frame.append_column("features", vectors)
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE stored AS FROM frame")  # the Arrow table above
        connection.execute(
            "CREATE VIEW features AS SELECT sample_id, location_id, split, multiplicity::INTEGER AS multiplicity, "
            "weight::FLOAT AS weight, longitude, latitude, year::INTEGER AS year, organic_carbon, "
            "missing_images::INTEGER AS missing_images, features FROM stored"
        )
    return path
