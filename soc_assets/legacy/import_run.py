"""`soc import-run`: a run of the original script as a spec, samples and batches of the platform.

Nothing is recomputed: vectors are copied (tokens that were not pooled are averaged, unless they are wanted). The
original repeated samples to balance them before it embedded; here a sample is kept once, and splits, balancing and
folds are made by the sampling stage. What the run does not record (weights, normalisation, valid pixels, point values)
is marked as unknown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from soc_assets import __version__
from soc_assets.embedding.embedded import Embedded
from soc_assets.embedding.encoder.architecture import ARCHITECTURES
from soc_assets.embedding.manifest import write_manifest
from soc_assets.embedding.parquet import LABELS, geo_metadata, options_of, schema_of, to_table, write_empty
from soc_assets.embedding.spec import Spec
from soc_assets.errors import FeaturesError
from soc_assets.integrity.tables import write_sampling
from soc_assets.legacy.run_files import KEY, OldRows, image_of, old_batches, read_old
from soc_assets.legacy.run_samples import collect, grid_round
from soc_assets.project import Project
from soc_assets.rasters.steps import keys_of, step_numbers
from soc_assets.runtime import progress
from soc_assets.sampling.prepare import Prepared, prepare_samples
from soc_assets.settings.seasons import SEASONS, season_number
from soc_assets.storage import digest, files

_TABLES = ("samples", "rejected", "balanced", "excluded", "folds", "batches")


@dataclass
class Facts:
    """What a run turns out to hold: bands in order of appearance with their kind, the most lags, tokens and width."""

    bands: dict[str, str] = field(default_factory=dict)
    lags: int = 0
    tokens: int = 0
    width: int = 0


@dataclass(frozen=True)
class Imported:
    """What became of a run."""

    spec: Spec
    batches: int
    samples: int
    repeated: int
    rejected: int
    missing_images: int


def import_run(
    project: Project,
    folder: Path,
    keep_tokens: bool = False,
) -> Imported:
    """Import a run of the original script into a project that has no samples yet.

    Args:
        project: where to.
        folder: `run_<timestamp>`, or the folder that holds it.
        keep_tokens: keep all tokens of images that were not pooled, instead of their mean.

    Raises:
        FeaturesError: the project has samples, or the run cannot be read.
    """
    if there := [project.samples(name) for name in _TABLES if project.samples(name).exists()]:
        raise FeaturesError(
            f"{there[0]} is there already: a run is imported into a project of its own. Make a folder with an empty "
            "soc.toml and name that with --config."
        )
    paths = old_batches(folder.expanduser().resolve())
    facts = Facts()
    parts = [_look(rows, path, facts) for path in _reported(paths, "looked at") for rows in read_old(path)]
    found = collect(pd.concat(parts, ignore_index=True))
    if found.samples.empty:
        raise FeaturesError(f"None of the rows in {folder} has coordinates, organic carbon and an image with a year.")
    spec = _spec(project, facts, folder.name, keep_tokens)
    samples = found.samples
    ledger = samples[["sample_id", "batch"]]
    settings = project.settings
    grid = grid_round(samples)
    with progress.silent():
        prepared = prepare_samples(samples, settings.study, settings.sampling, grid, project.region, ledger=ledger)
    samples = samples.merge(prepared.balanced[["sample_id", "location_id"]], on="sample_id", how="left")
    target = project.embeddings / spec.digest
    spec.save(project.embeddings)
    write_empty(target, spec)
    written, missing = [], 0
    for path in _reported(paths, "written"):
        rows = samples[samples["old_file"] == path.name]
        if len(rows):
            batch, gaps = _write(path, rows.set_index("old_row"), spec, target)
            written.append(batch)
            missing += gaps
    write_manifest(target, spec, written)
    _write_tables(project, found.samples, found.rejected, prepared)
    return Imported(spec, len(written), len(samples), found.repeated, len(found.rejected), missing)


def _reported(paths: list[Path], words: str) -> Iterator[Path]:
    for done, path in enumerate(paths, start=1):
        yield path
        progress.report(done, len(paths), f"{words}: {path.name}")


def _look(rows: OldRows, path: Path, facts: Facts) -> pd.DataFrame:
    """Place, carbon and newest step of each row; widens the facts by what the rows hold."""
    n = len(rows.longitude)
    newest, oldest = np.full(n, -1), np.full(n, 10**6)
    season = np.full(n, "", object)
    seasonal = any(match["season"] for key in rows.channels if (match := KEY.fullmatch(key)))
    for key in rows.channels:
        match = KEY.fullmatch(key)
        if match is None:
            raise FeaturesError(f"{path}: the key {key!r} is not <band>_<year> or <band>_<year>_<season>.")
        facts.bands.setdefault(match["band"], "seasonal" if match["season"] else "yearly")
        there = rows.present(key)
        of_year = SEASONS[-1]  # a yearly band beside seasonal ones reaches to the year's end
        number = season_number(int(match["year"]), SEASONS.index(match["season"] or of_year))
        number = number if seasonal else int(match["year"])
        season[there & (number > newest)] = match["season"] or "summer"
        newest[there] = np.maximum(newest[there], number)
        oldest[there] = np.minimum(oldest[there], number)
    spans = (newest - oldest + 1)[newest >= 0]
    facts.lags = max([facts.lags, *spans.tolist()])
    for image in map(image_of, rows.elevation):
        if image is not None:
            facts.tokens, facts.width = max(facts.tokens, image.shape[0]), image.shape[1]
    year = newest // len(SEASONS) if seasonal else newest
    frame = {"longitude": rows.longitude, "latitude": rows.latitude, "organic_carbon": rows.organic_carbon}
    return pd.DataFrame({**frame, "year": year, "season": season, "old_file": path.name})


def _spec(project: Project, facts: Facts, run: str, keep_tokens: bool) -> Spec:
    """A spec that says what is known of the run."""
    models = {shape.width: name for name, shape in reversed(ARCHITECTURES.items())}
    if facts.width not in models:
        raise FeaturesError(f"The images are {facts.width} wide: {', '.join(map(str, models))} were expected.")
    whole = keep_tokens and facts.tokens > 1
    rasters = project.settings.rasters
    order = [channel.name for channel in rasters.channels]
    names = sorted(facts.bands, key=lambda name: order.index(name) if name in order else len(order))
    bands = [{"name": rasters.reference, "kind": "static"}, *({"name": n, "kind": facts.bands[n]} for n in names)]
    choices: dict[str, Any] = {
        "model": models[facts.width],
        "stage": "encoder",
        "layer": None,
        "pooling": "none" if whole else "mean",
        "anchor": "center",
        "arrangement": "expand",
        "image_size": round(facts.tokens**0.5) * 8 if facts.tokens > 1 else 96,
        "normalise": "none",
        "precision": "float32",
        "storage": "float32",
        "weights": {"imported": run},
        "reference": rasters.reference,
        "bands": bands,
        "time_before": facts.lags,
        "first_lag": 0,
        "version": "imported",
    }
    return Spec(choices, {}, pd.Timestamp.now("UTC").isoformat())


def _write(path: Path, samples: pd.DataFrame, spec: Spec, folder: Path) -> tuple[Path, int]:
    """Copy the chosen rows (by their number) of an old file; returns the new file and how many images are missing."""
    key = str(samples["batch"].iloc[0])
    target = folder / f"{key}_size_{len(samples)}.parquet"
    metadata = {
        "soc.spec": spec.digest,
        "soc.weights": spec.weights,
        "soc.weights_sha256": "",
        "soc.inputs": digest.of_file(path),
        "soc.labels": digest.of_frame(samples[["sample_id", *LABELS]].reset_index(drop=True)),
        "soc.version": __version__,
        "soc.device": "",
        "soc.seconds": "0",
        "soc.imported_from": path.name,
        "geo": geo_metadata(samples),
    }
    schema, first, missing = schema_of(spec).with_metadata(metadata), 0, 0
    with files.replacing(target) as temporary, pq.ParquetWriter(temporary, schema, **options_of(spec)) as writer:
        for rows in read_old(path):
            n = len(rows.longitude)
            chosen = samples.loc[samples.index.isin(range(first, first + n))]
            if len(chosen):
                embedded = _embedded(rows, chosen.index.to_numpy() - first, chosen, spec)
                writer.write_table(to_table(chosen.reset_index(drop=True), spec, embedded).cast(schema))
                missing += int(embedded.missing.sum())
            first += n
        writer.add_key_value_metadata({"soc.missing_images": str(missing)})
    return target, missing


def _embedded(rows: OldRows, positions: np.ndarray, samples: pd.DataFrame, spec: Spec) -> Embedded:
    slots, n = spec.slots, len(samples)
    keys = [keys_of(slot, step_numbers(slot, samples)) for slot in slots]
    vectors = np.zeros((n, len(slots), *spec.shape), np.float32)
    missing = np.ones((n, len(slots)), bool)
    for number, slot in enumerate(slots):
        for sample, position in enumerate(positions.tolist()):
            images = rows.elevation if slot.lag is None else rows.channels.get(keys[number][sample])
            image = None if images is None else image_of(images[position])
            if image is not None:
                vectors[sample, number] = image if len(image) == spec.shape[0] else image.mean(axis=0)
                missing[sample, number] = False
    valid = np.where(missing, 0.0, np.nan)
    return Embedded(keys, vectors, missing, valid, keys, np.full((n, len(slots), 4), np.nan, np.float32))


def _write_tables(project: Project, samples: pd.DataFrame, rejected: pd.DataFrame, prepared: Prepared) -> None:
    kept = samples.drop(columns=["batch", "old_file", "old_row"])
    files.write_table(project.samples("samples"), kept)
    files.write_table(project.samples("rejected"), rejected)
    tables = {name: getattr(prepared, name) for name in ("excluded", "folds", "batches", "balanced", "splits")}
    write_sampling(project, tables, {}, {})
