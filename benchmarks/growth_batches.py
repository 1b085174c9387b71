"""How the time for batches grows with their number: looking them up, bringing them up to date, writing beside them.

Fake tiny files: what is timed is the work round a batch, not embedding. Run by benchmarks/growth.py.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets.embedding.batch import Batch, state, write
from soc_assets.embedding.footers import Footer, Footers
from soc_assets.embedding.listing import Listing
from soc_assets.storage import files

SIZES = (500, 1000, 2000, 4000)
_FACTS = {"soc.inputs": "i", "soc.labels": "l", "soc.device": "cpu", "soc.weights_sha256": "w", "soc.version": "0"}
_FACTS |= {"soc.missing_images": "0", "soc.seconds": "0"}


class Folder:
    """Batches of one sample each, and a folder for them that goes with the object."""

    def __init__(self, n: int) -> None:
        self._kept = tempfile.TemporaryDirectory()
        self.path = Path(self._kept.name)
        samples = pd.DataFrame({"sample_id": ["a"]})
        self.batches = [Batch(f"batch_{number:04d}", samples, {}, "i", "l") for number in range(1, n + 1)]

    def fill(self, size: int) -> None:
        """Files that look done, in whose names stands a number of samples."""
        table = pa.table({"sample_id": ["a"]}).replace_schema_metadata(_FACTS)
        for batch in self.batches:
            pq.write_table(table, self.path / f"{batch.key}_size_{size}.parquet")


def look_up(n: int) -> Callable[[], object]:
    """`soc status`: every batch is there under another number of samples, so that its own file is missing."""
    folder = Folder(n)
    folder.fill(2)

    def timed() -> list[str]:
        listing = Listing(folder.path)
        return [state(batch, folder.path, listing) for batch in folder.batches]

    return timed


def bring_up_to_date(n: int) -> Callable[[], object]:
    """A run over batches that are all fresh."""
    folder = Folder(n)
    folder.fill(1)

    def timed() -> list[str]:
        listing = Listing(folder.path)
        return [write(batch, folder.path, None, None, listing).outcome for batch in folder.batches]  # pyright: ignore

    return timed


def ask_footers(n: int) -> Callable[[], object]:
    """What the footers say of batches none of which has changed: the kept file, and no footer."""
    folder = Folder(n)
    listing = {batch.path(folder.path).name: "stamp" for batch in folder.batches}
    Footers(folder.path / "known.parquet", lambda _: Footer(1, _FACTS)).of(listing)

    def timed() -> object:
        return Footers(folder.path / "known.parquet", _must_not).of(listing)

    return timed


def _must_not(name: str) -> Footer:
    raise AssertionError(f"{name} was read again")


def write_beside(n: int) -> Callable[[], object]:
    """Writing as many small files into one folder."""
    folder = Folder(n)

    def timed() -> None:
        for batch in folder.batches:
            with files.replacing(batch.path(folder.path)) as temporary:
                temporary.write_bytes(b"batch")

    return timed


CASES: dict[str, tuple[Callable[[int], Callable[[], object]], tuple[int, ...]]] = {
    "batches: look up": (look_up, SIZES),
    "batches: ask footers": (ask_footers, SIZES),
    "batches: bring up to date": (bring_up_to_date, SIZES),
    "batches: write": (write_beside, SIZES),
}
