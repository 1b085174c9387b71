"""Windows that the transformer sees together, where their results go, and results that are kept for later calls.

Windows are told apart by the content of the files that they read, not by their step: those of a static band are the
same in every year, and so are those of a raster that was copied to the next.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock

import numpy as np


@dataclass(frozen=True)
class Place:
    """Where a scene's results go: samples [k], slots [k, groups] and the image [k] that each takes."""

    sample: np.ndarray
    slot: np.ndarray
    image: np.ndarray

    def write(self, embedded: np.ndarray, vectors: np.ndarray) -> None:
        """Put embedded images [u, groups, rows, width] into vectors [n, slots, rows, width]."""
        vectors[self.sample[:, None], self.slot] = embedded[self.image]


class KeptScenes:
    """Embedded scenes by key, up to `limit` bytes; the longest unused goes first, and a limit of 0 keeps none."""

    def __init__(self, limit: int) -> None:
        self._limit, self._held = limit, 0
        self._lock = Lock()
        self._entries: OrderedDict[Hashable, np.ndarray] = OrderedDict()

    def get(self, key: Hashable) -> np.ndarray | None:
        """The results [u, groups, rows, width] of a scene, if they are kept."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: Hashable, embedded: np.ndarray) -> None:
        """Keep the results of a scene, as far as the limit allows."""
        if embedded.nbytes > self._limit:
            return
        with self._lock:
            replaced = self._entries.pop(key, None)
            self._held += embedded.nbytes - (0 if replaced is None else replaced.nbytes)
            self._entries[key] = embedded
            while self._held > self._limit:
                self._held -= self._entries.popitem(last=False)[1].nbytes
