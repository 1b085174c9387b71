"""One batch: what its inputs are, whether its file is fresh, and writing the file.

The digest of the inputs covers the spec, the samples' places and dates and the rasters that their windows read; labels
(organic carbon, location, source) have a digest of their own: when only they change, the columns are rewritten and
nothing is embedded again.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from soc_assets import __version__
from soc_assets.embedding.digests import PLACE, digest_of_inputs, plain
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder.encoder import Encoder
from soc_assets.embedding.listing import Listing
from soc_assets.embedding.parquet import LABELS, SCHEMA, geo_metadata, options_of, schema_of, to_table
from soc_assets.embedding.spec import Spec
from soc_assets.embedding.windows import corners
from soc_assets.errors import ConflictError
from soc_assets.rasters.index import RasterIndex
from soc_assets.rasters.steps import Step, steps_read
from soc_assets.reporting.findings import Finding
from soc_assets.storage import access, digest, files
from soc_assets.storage.access import source

_CHUNK_BYTES = 128 * 2**20  # of vectors buffered before they are written as a row group
FACTS = {"soc.inputs", "soc.labels", "soc.device", "soc.weights_sha256", "soc.version"}


@dataclass(frozen=True)
class Batch:
    """A batch and the digests of what it is made from.

    Attributes:
        key: `batch_0001`.
        samples: [n] rows with identity, place, date and labels.
        rasters: key (`LAI_2012`) -> digest of the files that its windows read, None where there is none.
    """

    key: str
    samples: pd.DataFrame
    rasters: dict[str, str | None]
    inputs: str
    labels: str

    def path(self, folder: Path) -> Path:
        """The file in the spec's folder."""
        return folder / f"{self.key}_size_{len(self.samples)}.parquet"


@dataclass(frozen=True)
class Written:
    """What became of a batch.

    Attributes:
        key: `batch_0001`.
        path: its file.
        inputs: digest of what it is made from.
        outcome: computed, relabelled or cached.
        samples: rows.
        images: embedded now.
        missing: images that are null.
        seconds: that it took.
        device: on which it was embedded, now or before.
        findings: what its checks found.
    """

    key: str
    path: Path
    inputs: str
    outcome: str
    samples: int
    images: int
    missing: int
    seconds: float
    device: str = ""
    findings: tuple[Finding, ...] = ()


def describe(key: str, samples: pd.DataFrame, spec: Spec, raster_index: RasterIndex) -> Batch:
    """A batch with its digests; opens no file."""
    size = spec.choices["image_size"]
    rows, columns = corners(samples, raster_index.grid, size, spec.choices["anchor"])
    readers: dict[tuple[str, Step], list[np.ndarray]] = {}
    for slot, step, positions in steps_read(spec.band_slots, samples):
        readers.setdefault((slot.name, step), []).append(positions)
    rasters: dict[str, str | None] = {}
    for (band, step), of_lags in readers.items():
        mosaic, positions = raster_index.mosaics.get((band, step)), np.concatenate(of_lags)
        rasters[step.key(band)] = mosaic.digest_of(rows[positions], columns[positions], size) if mosaic else None
    inputs = digest_of_inputs(spec.digest, [plain(samples[name]) for name in PLACE], rasters)
    return Batch(key, samples, rasters, inputs, digest.of_frame(samples[["sample_id", *LABELS]]))


def read_facts(path: Path, rows: int | None = None) -> dict[str, str]:
    """The metadata of a batch's file; empty where it is missing or damaged, or has not as many rows as are expected."""
    found, stored = files.read_footer(path)
    return facts_in(stored) if rows in (None, found) else {}


def facts_in(stored: dict[str, str]) -> dict[str, str]:
    """Metadata of a batch's file; empty where what every batch says is not there."""
    try:
        whole = int(stored["soc.missing_images"]) >= 0 and float(stored["soc.seconds"]) >= 0
    except (KeyError, ValueError):
        whole = False
    return stored if whole and stored.keys() >= FACTS else {}


def state(batch: Batch, folder: Path, listing: Listing | None = None) -> str:
    """missing, stale (also where the file is damaged), relabel (only labels changed) or fresh.

    Args:
        batch: from `describe`.
        folder: of the spec.
        listing: of the folder, for queries about many batches; None lists it now.
    """
    stored = read_facts(batch.path(folder), len(batch.samples))
    if not stored:
        return "stale" if (listing or Listing(folder)).files(batch.key) else "missing"
    return compare(stored, batch.inputs, batch.labels)


def compare(stored: Mapping[str, str], inputs: str, labels: str) -> str:
    """stale, relabel or fresh, by what a batch's file says of itself and the digests of today."""
    if stored.get("soc.inputs") != inputs:
        return "stale"
    return "fresh" if stored.get("soc.labels") == labels else "relabel"


def write(
    batch: Batch, folder: Path, spec: Spec, embedder: Callable[[], Embedder], listing: Listing | None = None
) -> Written:
    """Bring a batch's file up to date, doing no more than necessary.

    Args:
        batch: from `describe`.
        folder: of the spec.
        spec: the frozen spec.
        embedder: gives the embedder with its weights; called only if something must be embedded.
        listing: of the folder, where many batches are written; None lists it now.
    """
    start, listing, path = time.perf_counter(), listing or Listing(folder), batch.path(folder)
    outcome, images = state(batch, folder, listing), 0
    if not (stored := access.is_stored(path)):
        listing.keep_one(batch.key, path)
    since = listing.version(path)
    if outcome == "relabel" and not _relabel(batch, path, spec, since):
        outcome = "stale"
    if outcome in ("missing", "stale"):
        images = _embed(batch, path, spec, embedder(), since)
    if stored:
        listing.remove_others(batch.key, path)
    done = {"missing": "computed", "stale": "computed", "relabel": "relabelled", "fresh": "cached"}[outcome]
    stored, seconds = read_facts(path), time.perf_counter() - start
    missing, device = int(stored.get("soc.missing_images", 0)), stored.get("soc.device", "")
    return Written(batch.key, path, batch.inputs, done, len(batch.samples), images, missing, seconds, device)


@contextmanager
def _replacing(batch: Batch, path: Path, since: str | None) -> Iterator[Path]:
    """Replace the file, unless another host has meanwhile written it from the same inputs, which is as good.

    Raises:
        ConflictError: it was written from other inputs: one of the two hosts had older ones.
    """
    try:
        with files.replacing(path, since=since) as temporary:
            yield temporary
    except ConflictError as error:
        theirs = read_facts(path, len(batch.samples))
        if (theirs.get("soc.inputs"), theirs.get("soc.labels")) != (batch.inputs, batch.labels):
            words = "by another host meanwhile, from other settings, rasters or samples: theirs stays. Run again."
            raise ConflictError(f"{path} was written {words}") from error


def _embed(batch: Batch, path: Path, spec: Spec, embedder: Embedder, since: str | None) -> int:
    """Write the file; returns how many images were embedded."""
    start, images, missing = time.perf_counter(), 0, 0
    schema = schema_of(spec).with_metadata(_metadata(batch, spec, embedder.encoder))
    at_once = max(1, _CHUNK_BYTES // (spec.n_features * 4))
    with _replacing(batch, path, since) as place, pq.ParquetWriter(place, schema, **options_of(spec)) as writer:
        for first in range(0, max(len(batch.samples), 1), at_once):
            samples = batch.samples.iloc[first : first + at_once]
            embedded = embedder(samples)
            writer.write_table(to_table(samples, spec, embedded).cast(schema))
            missing += int(embedded.missing.sum())
            images += int((~embedded.missing).sum())
        seconds = time.perf_counter() - start
        compiled = embedder.encoder.compiled
        writer.add_key_value_metadata(
            {
                "soc.missing_images": str(missing),
                "soc.seconds": f"{seconds:.3f}",
                "soc.compiled": compiled.words if compiled else "no",
            }
        )
    return images


def _metadata(batch: Batch, spec: Spec, encoder: Encoder) -> dict[str, str]:
    statistics = {name: asdict(value) for name, value in spec.statistics.items()}
    return {
        "soc.spec": spec.digest,
        "soc.spec_json": json.dumps({"choices": spec.choices, "statistics": statistics}, sort_keys=True),
        "soc.weights": encoder.weights.label,
        "soc.weights_sha256": encoder.weights.sha256,
        "soc.inputs": batch.inputs,
        "soc.labels": batch.labels,
        "soc.version": __version__,
        "soc.device": encoder.device,
        "soc.precision": str(encoder.precision),
        "geo": geo_metadata(batch.samples),
    }


def _relabel(batch: Batch, path: Path, spec: Spec, since: str | None) -> bool:
    """Write the file with its labels of today; False where it is damaged, which new checksums would hide."""
    try:
        table = pq.read_table(source(path), page_checksum_verification=True)
    except (pa.ArrowException, OSError):
        return False
    order = batch.samples.set_index("sample_id").loc[table["sample_id"].to_pylist()]
    for name in LABELS:
        position, field = table.schema.get_field_index(name), SCHEMA.field(name)
        table = table.set_column(position, field, pa.array(order[name].to_numpy(), field.type, from_pandas=True))
    metadata = {**files.read_metadata(path), "soc.labels": batch.labels}
    with _replacing(batch, path, since) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, **options_of(spec))
    return True
