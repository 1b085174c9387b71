"""Which rows and columns of the view `features` are wanted, and reading them, from files if possible.

The batches' files are read directly, a row group at a time into one matrix: less time than SQL takes. Vectors that are
aligned by calendar or hold point values are read by SQL (`soc_assets.features.matrix`).
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.errors import FeaturesError
from soc_assets.features import refresh
from soc_assets.features.images import Images, batch_paths, read_images
from soc_assets.features.matrix import iter_vectors, require_all
from soc_assets.features.sql.opening import reading
from soc_assets.features.sql.views import Contents
from soc_assets.integrity.schemas import SPLITS
from soc_assets.project import Project
from soc_assets.rasters.steps import Slot

_MOST_AT_ONCE = 4  # files read at once: each holds up to 128 MB of vectors, and a copy or two


@dataclass(frozen=True)
class Selection:
    """Some rows and columns of the view `features`, not yet read.

    Attributes:
        contents: what the database shows.
        database: its file, up to date.
        samples: [n] rows, see `Loaded`; in the order of batches and files.
        columns: [d] rows of feature_index.
        slots: positions of the images wanted, in the order of the vector.
    """

    contents: Contents
    database: Path
    samples: pd.DataFrame
    columns: pd.DataFrame
    slots: list[int]

    @property
    def names(self) -> list[str]:
        """A name per feature: band, lag or year, number; points are distinguished from embeddings."""
        parts = self.columns.astype("str").replace(["nan", "<NA>", "None"], "")
        lag = parts["lag"].str.removesuffix(".0").radd(" lag ").where(self.columns["lag"].notna(), "")
        year = parts["year"].str.removesuffix(".0").radd(" ").where(self.columns["year"].notna(), "")
        season = parts["season"].radd(" ").where(self.columns["season"].notna(), "")
        tokens = self.contents.spec.shape[0] > 1
        token = (" token " + parts["row"]).where(tokens & (self.columns["what"] == "embedding"), "")
        point = pd.Series(" point", parts.index).where(self.columns["what"] == "point", "")
        return (parts["band"] + point + lag + year + season + token + " " + parts["dimension"]).tolist()

    @property
    def from_files(self) -> bool:
        """Whether the vectors are images one after another, so that the files can be read without SQL."""
        features = self.contents.features
        return features.alignment == "lag" and tuple(features.include) == ("embedding",)

    @cached_property
    def _positions(self) -> pd.Index:
        return pd.Index(self.samples["sample_id"] + "\n" + self.samples["batch"])

    def matrix(self) -> np.ndarray:
        """All rows [n, d] float32; files are read in parallel, each a row group at a time.

        Raises:
            FeaturesError: a row no longer exists.
        """
        matrix = np.empty((len(self.samples), len(self.columns)), np.float32)
        filled = np.zeros(len(matrix), bool)

        def fill(paths: Sequence[Path] | None) -> None:
            for rows, values in self._some(paths):
                matrix[rows], filled[rows] = values, True

        if self.from_files:
            with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_AT_ONCE)) as threads:
                list(threads.map(fill, ([path] for path in batch_paths(self.contents.folder))))
        else:
            fill(None)
        require_all(int(filled.sum()), len(matrix), self.contents.folder)
        return matrix

    def row_blocks(self, paths: Sequence[Path] | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of rows: their positions in `samples` [m] and their values [m, d] float32.

        Args:
            paths: of the batches wanted; None takes all.

        Raises:
            FeaturesError: not every row was there, where all were wanted; raised at the end.
        """
        found = 0
        for rows, values in self._some(paths):
            found += len(rows)
            yield rows, values
        if paths is None:
            require_all(found, len(self.samples), self.contents.folder)

    def _some(self, paths: Sequence[Path] | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """`row_blocks`, without checking that all are there."""
        if not self.from_files:
            yield from self._by_sql()
            return
        for path in batch_paths(self.contents.folder) if paths is None else paths:
            for images in read_images(path, self.contents.spec, ["batch"], self._needed):
                keys = pd.Index(images.sample_id + "\n" + np.asarray(images.columns["batch"], object))
                rows = self._positions.get_indexer(keys)
                if (rows >= 0).all():
                    yield rows, self._vectors(images)
                elif (rows >= 0).any():
                    yield rows[rows >= 0], self._vectors(images)[rows >= 0]

    @property
    def _needed(self) -> list[int]:
        """Images to read: those wanted, and where a gap is filled by the nearest lag the other lags of their bands."""
        slots = self.contents.spec.slots
        if self.contents.features.missing != "nearest_lag":
            return self.slots
        return [number for number, slot in enumerate(slots) if slot.name in {slots[n].name for n in self.slots}]

    def _vectors(self, images: Images) -> np.ndarray:
        """Vectors [n, d] with gaps as the setting `missing` wants them."""
        vectors = images.vectors
        if self.contents.features.missing == "null":
            vectors[images.missing] = np.nan
        elif self.contents.features.missing == "nearest_lag":
            vectors = _filled(images, [self.contents.spec.slots[n] for n in self._needed])
            vectors = vectors[:, [self._needed.index(n) for n in self.slots]]
        return vectors.reshape(len(vectors), -1)

    def _by_sql(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        wanted = self.columns["position"].to_numpy()
        query = """SELECT f.sample_id || chr(10) || s.batch, f.features
            FROM features f JOIN samples s USING (sample_id)"""
        with reading(self.database) as connection:
            for rows, values in iter_vectors(connection, query, self._positions, self.database):
                yield rows, values[:, wanted]


def select(project: Project | Path | None, split: str | Sequence[str] | None, bands: Sequence[str] | None) -> Selection:
    """Rows and columns of the view `features`; see `load_features`."""
    from soc_assets.project import open_project

    project = project if isinstance(project, Project) else open_project(project)
    refresh.rebuild_database_if_stale(project)
    refresh.ensure(project)
    contents = refresh.contents_of(project)
    splits = [split] if isinstance(split, str) else list(split or SPLITS)
    if unknown := set(splits) - set(SPLITS):
        raise FeaturesError(f"There is no split {sorted(unknown)[0]!r}: {', '.join(SPLITS)}.")
    with reading(project.database) as connection:
        columns = connection.sql("SELECT * FROM feature_index ORDER BY position").df()
        query = """SELECT e.sample_id, e.batch, s.location_id, s.split, s.multiplicity, s.weight,
            e.longitude, e.latitude, e.year, e.season, e.organic_carbon FROM embeddings e
            JOIN samples s ON s.sample_id = e.sample_id AND s.batch = e.batch
            WHERE s.split IN (SELECT unnest($splits)) ORDER BY e.batch, e.sample_id"""
        samples = connection.execute(query, {"splits": splits}).df()
    known = list(dict.fromkeys(columns["band"]))
    wanted = known if bands is None else list(bands)
    if unknown := [band for band in wanted if band not in known]:
        raise FeaturesError(f"There is no band {unknown[0]!r} in the features; there are {', '.join(known)}.")
    if samples.empty:
        raise FeaturesError(
            f"There are no features of {' or '.join(splits)} in {project.data}: `soc run --to features` makes them."
        )
    slots = [number for number, slot in enumerate(contents.spec.slots) if slot.name in wanted]
    columns = columns[columns["band"].isin(wanted)].reset_index(drop=True)
    return Selection(contents, project.database, samples, columns, slots)


def _filled(images: Images, slots: list[Slot]) -> np.ndarray:
    """Vectors with each missing image replaced by its band's nearest lag; of two equally near, the more recent."""
    vectors = images.vectors.copy()
    for index, slot in enumerate(slots):
        lags = {n: s.lag for n, s in enumerate(slots) if s.name == slot.name and s.lag is not None}
        left = images.missing[:, index].copy()
        for n in sorted(lags, key=lambda n: (abs(lags[n] - (slot.lag or 0)), lags[n])):
            use = left & ~images.missing[:, n]
            vectors[use, index] = images.vectors[use, n]
            left &= ~use
    return vectors
