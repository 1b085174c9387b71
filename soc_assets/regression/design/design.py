"""Feature groups of the samples: embedding, point values and coordinates, and selecting columns of them by name.

A feature set is a list of names joined by +: `embedding`, `coordinates`, `point` or `point:1:9` (squares of 1 and 9
pixels), or `window:16`, the pixels around a sample (`soc_assets.regression.design.windows`). The matrices are read from
soc.duckdb once, with the setting `missing` of [features], and kept as .npy files, so that the processes of an
evaluation share them without a copy each.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from soc_assets.errors import TrainingError
from soc_assets.features.matrix import read_matrix
from soc_assets.features.sql.opening import reading
from soc_assets.storage import digest, files
from soc_assets.storage.vouching import vouch, vouched, wrong


@dataclass(frozen=True)
class Design:
    """Samples and their features.

    Attributes:
        samples: [n] rows by sample_id: sample_id, location_id, split, longitude, latitude, year, source,
            organic_carbon (g/kg), multiplicity, weight; x and y (metres); the columns of [evaluation] strata;
            block, pixel_step (samples that share it have equal covariates) and, in an evaluation, region.
        matrices: per group float32 [n, d].
        columns: per group a table of d rows: what, band, lag, window (pixels; 0 where it means nothing).
        digests: of each group's content.
    """

    samples: pd.DataFrame
    matrices: dict[str, np.ndarray]
    columns: dict[str, pd.DataFrame]
    digests: dict[str, str]

    def positions(self, features: str) -> dict[str, np.ndarray]:
        """Columns of each group that a feature set names, in the set's order.

        Raises:
            TrainingError: a window of point values does not exist.
        """
        chosen: dict[str, np.ndarray] = {}
        for word in features.split("+"):
            group, *windows = (word,) if word.startswith("window:") else word.split(":")
            columns = self.columns[group]
            kept = np.arange(len(columns))
            if windows:
                known = sorted(set(columns["window"]))
                if unknown := [window for window in windows if int(window) not in known]:
                    raise TrainingError(f"The feature set {features!r} asks for windows {unknown}; there are {known}.")
                kept = kept[columns["window"].isin([int(window) for window in windows]).to_numpy()]
            chosen[group] = kept
        return chosen

    def names(self, features: str) -> pd.DataFrame:
        """What each column of a feature set means, in order."""
        return pd.concat(
            [self.columns[group].iloc[kept] for group, kept in self.positions(features).items()], ignore_index=True
        )

    def content(self, features: str) -> str:
        """Digest of the columns of a feature set."""
        chosen = self.positions(features)
        return digest.of_values(
            [[group, self.digests[group], len(kept)] for group, kept in chosen.items()] + [features]
        )

    def save(self, folder: Path) -> None:
        """Save everything in a folder named by its content; `Design.load` memory-maps it."""
        folder.mkdir(parents=True, exist_ok=True)
        for group, matrix in self.matrices.items():
            with files.replacing(_file(folder, group, "npy")) as temporary:
                _save(temporary, matrix)
            files.write_table(_file(folder, group, "parquet"), self.columns[group])
        path = folder / "samples.parquet"
        sealed = vouch(path, [_file(folder, group, kind) for group in self.matrices for kind in ("npy", "parquet")])
        files.write_table(path, self.samples, {"soc.digests": json.dumps(self.digests), **sealed})

    @staticmethod
    def is_saved(folder: Path) -> bool:
        """Whether `save` finished there and nothing has changed since; reads all of it."""
        path = folder / "samples.parquet"
        return path.is_file() and not wrong(path) and vouched(path) is not None

    @classmethod
    def load(cls, folder: Path) -> "Design":
        """What `save` wrote; the matrices stay on disk until they are read."""
        path = folder / "samples.parquet"
        digests = json.loads(files.read_metadata(path)["soc.digests"])
        return cls(
            samples=files.read_table(path),
            matrices={group: np.load(_file(folder, group, "npy"), mmap_mode="r") for group in digests},
            columns={group: files.read_table(_file(folder, group, "parquet")) for group in digests},
            digests=digests,
        )

    def with_group(self, group: str, matrix: np.ndarray, columns: pd.DataFrame) -> "Design":
        """The same with another group of features: a matrix [n, d] and the meaning of its columns."""
        return Design(
            self.samples,
            {**self.matrices, group: matrix},
            {**self.columns, group: columns},
            {**self.digests, group: _digest(matrix)},
        )


def _save(path: Path, matrix: np.ndarray) -> None:
    """Save a matrix; one that is a file itself is linked to where that can be."""
    if isinstance(matrix, np.memmap) and matrix.filename is not None:
        whole = Path(matrix.filename)
        if whole.stat().st_size == matrix.offset + matrix.nbytes:
            with suppress(OSError):
                path.unlink(missing_ok=True)
                path.hardlink_to(whole)
                return
    with path.open("wb") as file:
        np.save(file, matrix)


def _file(folder: Path, group: str, kind: str) -> Path:
    """The file of a group; a colon in a name is refused on Windows."""
    return folder / f"{group.replace(':', '_')}.{kind}"


def make_design(samples: pd.DataFrame, matrices: dict[str, np.ndarray], columns: dict[str, pd.DataFrame]) -> Design:
    """A design with its digests; coordinates (x and y of the samples, km) are added as a group."""
    places = samples[["x", "y"]].to_numpy(np.float32) / 1000
    every = {**matrices, "coordinates": places}
    named = {**columns, "coordinates": columns_table([("coordinates", name, None, 0) for name in ("x", "y")])}
    digests = {group: _digest(matrix) for group, matrix in every.items()}
    return Design(samples.reset_index(drop=True), every, named, digests)


def read_design(database: Path, queries: dict[str, str], columns: dict[str, list[tuple[Any, ...]]], x_y: Any) -> Design:
    """Read every group from the database.

    Args:
        database: soc.duckdb.
        queries: per group a query that gives sample_id and a list of numbers; see `soc_assets.features.sql.groups`.
        columns: per group the meaning of each number: what, band, lag, window.
        x_y: a function from longitude and latitude [n] to metres.

    Raises:
        TrainingError: the database is missing, or has no studied and embedded samples.
        FeaturesError: the batches changed while they were read.
    """
    if not database.is_file():
        raise TrainingError(f"{database} does not exist. Materialise the asset `features` first.")
    with reading(database) as connection:
        samples = connection.sql(queries["samples"]).df().sort_values("sample_id", ignore_index=True)
        if samples.empty:
            raise TrainingError(f"{database} has no embedded samples. Materialise `embeddings`, then `features`.")
        index = pd.Index(samples["sample_id"])
        matrices = {
            name: read_matrix(connection, queries[name], index, database, len(of)) for name, of in columns.items()
        }
    x, y = x_y(samples["longitude"].to_numpy(), samples["latitude"].to_numpy())
    return make_design(samples.assign(x=x, y=y), matrices, {name: columns_table(of) for name, of in columns.items()})


def columns_table(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """The meaning of columns as a table: what, band, lag, window."""
    frame = pd.DataFrame(rows, columns=["what", "band", "lag", "window"])
    return frame.astype({"what": "str", "band": "str", "lag": "Int32", "window": "int32"})


def _digest(matrix: np.ndarray) -> str:
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(matrix).data).hexdigest()[: digest.LENGTH]
