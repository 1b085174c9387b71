"""The samples of each batch: one table in the order of the batches, from which a batch is cut when it is asked for."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


class BatchRows:
    """Which rows of a table are of which batch.

    Args:
        samples: [n] rows with the column `batch`, in any order; within a batch their order is kept.
    """

    def __init__(self, samples: pd.DataFrame) -> None:
        codes, keys = pd.factorize(samples["batch"], sort=True)
        in_order = bool((np.diff(codes) >= 0).all())
        self._samples = samples if in_order else samples.take(np.argsort(codes, kind="stable"))
        ends = np.cumsum(np.bincount(codes, minlength=len(keys))).tolist()
        self._place = {str(key): slice(*span) for key, *span in zip(keys, [0, *ends], ends, strict=False)}

    def __contains__(self, key: str) -> bool:
        return key in self._place

    def count(self, key: str) -> int:
        """Samples of a batch; 0 where there is no such batch."""
        place = self._place.get(key)
        return place.stop - place.start if place else 0

    def of(self, key: str) -> pd.DataFrame:
        """The rows of a batch, numbered from 0."""
        return self._samples.iloc[self._place.get(key, slice(0, 0))].reset_index(drop=True)

    def of_several(self, keys: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
        """The rows of several batches, one batch after the other, and how many each has."""
        places = [self._place.get(key, slice(0, 0)) for key in keys]
        counts = np.array([place.stop - place.start for place in places], np.int64)
        if counts.sum() == len(self._samples) and keys == sorted(keys):
            return self._samples, counts
        rows = [np.arange(place.start, place.stop) for place in places]
        return self._samples.take(np.concatenate(rows) if rows else []), counts
