"""Runs in the peers' environment: three questions to the embeddings' Parquet files, by pandas and by polars.

    python -m benchmarks.peers_tables FOLDER pandas|polars one_sample|one_band|neighbours SAMPLE

pandas reads columns file by file (`read_parquet`), which gives lists of arrays; polars scans all files lazily
(`scan_parquet`, `map.get`, `map.values`; polars 2). A missing image counts as zeros, as in our view `features`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers_measure import answer

WIDTH = 768
NEAREST = 10
BAND = "LAI"  # at lag 0
FIRST, MAP = "elevation_embedding", "channel_time_embeddings"


def main() -> None:
    folder, package, question, sample = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
    paths = sorted((folder / "batches").glob("batch_*.parquet"))
    way = {"pandas": Pandas, "polars": Polars}[package](paths)
    questions = {"one_sample": way.one_sample, "one_band": way.one_band, "neighbours": lambda s: neighbours(way, s)}
    answer(folder, f"{package}_{question}", lambda: questions[question](sample))


class Pandas:
    """Reading with pandas (pyarrow behind it)."""

    def __init__(self, paths: list[Path]) -> None:
        import pandas

        self.package, self.paths = pandas, paths

    def read(self, columns: list[str], sample: str | None = None) -> Iterator[tuple[Any, ...]]:
        """Rows: sample_id and columns; a map is a list of pairs."""
        only = [("sample_id", "==", sample)] if sample else None
        for path in self.paths:
            frame = self.package.read_parquet(path, columns=["sample_id", *columns], filters=only)
            yield from zip(*(frame[name] for name in ["sample_id", *columns]), strict=True)

    def one_sample(self, sample: str) -> dict[str, np.ndarray]:
        """All features of a sample [d]."""
        _, first, images = next(self.read([FIRST, MAP], sample))
        return {"values": _joined([first, *(value for _, value in images)])}

    def one_band(self, _: str) -> dict[str, np.ndarray]:
        """The vectors of one band and lag of all samples [n, 768]."""
        rows = [(sample, dict(images)[f"{BAND}_{year}"]) for sample, year, images in self.read(["year", MAP])]
        return {"ids": np.array([sample for sample, _ in rows]), "values": np.stack([_joined([v]) for _, v in rows])}

    def matrix(self) -> tuple[np.ndarray, np.ndarray]:
        """Samples [n] and all their features [n, d]."""
        ids, found = [], []
        for sample, first, images in self.read([FIRST, MAP]):
            ids.append(sample)
            found.append(_joined([first, *(value for _, value in images)]))
        return np.array(ids), np.stack(found)


def _joined(images: list[Any]) -> np.ndarray:
    """Images one after another [d] float32, zeros where one is missing."""
    zeros = np.zeros(WIDTH, np.float32)
    return np.concatenate([zeros if image is None else np.asarray(image[0], np.float32) for image in images])


class Polars:
    """Reading with polars, lazily."""

    def __init__(self, paths: list[Path]) -> None:
        import polars

        self.package, self.scan = polars, polars.scan_parquet(paths)

    def one_sample(self, sample: str) -> dict[str, np.ndarray]:
        """As `Pandas.one_sample`."""
        return {"values": self._features(self.scan.filter(self.package.col("sample_id") == sample))[1][0]}

    def one_band(self, _: str) -> dict[str, np.ndarray]:
        """As `Pandas.one_band`."""
        image = self.package.col(MAP).map.get(self.package.format(BAND + "_{}", "year"))
        frame = self.scan.select("sample_id", image.alias("value")).collect()
        return {"ids": frame["sample_id"].to_numpy().astype(str), "values": self._dense(frame["value"])}

    def matrix(self) -> tuple[np.ndarray, np.ndarray]:
        """As `Pandas.matrix`."""
        return self._features(self.scan)

    def _features(self, rows: Any) -> tuple[np.ndarray, np.ndarray]:
        frame = rows.select("sample_id", FIRST, self.package.col(MAP).map.values()).collect()
        images = self._dense(frame[MAP].explode())
        parts = [self._dense(frame[FIRST]), images.reshape(len(frame), -1)]
        return frame["sample_id"].to_numpy().astype(str), np.concatenate(parts, axis=1)

    def _dense(self, images: Any) -> np.ndarray:
        """Lists of one vector each as [m, 768], zeros where one is missing."""
        found, present = np.zeros((len(images), WIDTH), np.float32), images.is_not_null().to_numpy()
        found[present] = images.drop_nulls().explode().explode().to_numpy().reshape(-1, WIDTH)
        return found


def neighbours(way: Pandas | Polars, sample: str) -> dict[str, np.ndarray]:
    """The ten samples most like one by the cosine of all features."""
    ids, matrix = way.matrix()
    asked = int(np.flatnonzero(ids == sample)[0])
    similarity = matrix @ matrix[asked] / np.linalg.norm(matrix, axis=1) / np.linalg.norm(matrix[asked])
    similarity[asked] = -np.inf
    best = np.argsort(-similarity)[:NEAREST]
    return {"ids": ids[best], "values": similarity[best]}


if __name__ == "__main__":
    main()
