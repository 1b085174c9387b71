"""Synthetic samples and embeddings of any number, written by the platform's own writer: for benchmarks of SQL.

Places lie in Bavaria; the mean patches are smooth functions of the place that change from year to year, and go through
the patch embedding with random weights: what `soc run` would write, without rasters. Everything is invented.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.embedding.batch import Batch, write
from soc_assets.embedding.embedded import Embedded
from soc_assets.embedding.encoder.encoder import Encoder, load_encoder
from soc_assets.embedding.parquet import write_empty
from soc_assets.embedding.spec import Spec, Statistics
from soc_assets.embedding.spec_choices import choices_of
from soc_assets.embedding.tile_cache import POINT_WINDOWS
from soc_assets.project import Project
from soc_assets.rasters.steps import keys_of, step_numbers
from soc_assets.settings.loading import Settings
from soc_assets.storage import files

SIZE = 256  # of a batch
PATCH = 64  # pixels of a patch
GAPS = 0.01  # share of images that are missing


@dataclass
class Invented:
    """Embeds samples as a function of place, year and slot; stands where `Embedder` does."""

    spec: Spec
    encoder: Encoder

    def __call__(self, samples: pd.DataFrame) -> Embedded:
        """Embed n samples."""
        slots, bands, n = self.spec.slots, self.spec.band_slots, len(samples)
        rng = np.random.default_rng(int(samples["sample_id"].iloc[0][1:]))
        patches = np.stack([self._patches(samples, number) for number in range(len(slots))], axis=1)
        patches += rng.normal(0, 0.2, patches.shape)
        vectors = self.encoder.patches(patches.reshape(-1, 1, PATCH).astype(np.float32))
        return Embedded(
            keys=[keys_of(slot, step_numbers(slot, samples)) for slot in slots],
            vectors=vectors.reshape(n, len(slots), *self.spec.shape),
            missing=rng.random((n, len(slots))) < GAPS * np.array([slot.lag is not None for slot in slots]),
            valid=np.ones((n, len(slots))),
            point_keys=[keys_of(slot, step_numbers(slot, samples)) for slot in bands],
            points=rng.normal(0, 1, (n, len(bands), len(POINT_WINDOWS))).astype(np.float32),
        )

    def _patches(self, samples: pd.DataFrame, number: int) -> np.ndarray:
        """Mean patches [n, 64]: a level that the place and the year give, and its slope within the patch."""
        slot = self.spec.slots[number]
        name = sum(slot.name.encode())
        year = step_numbers(slot, samples) % 97
        x, y = samples["longitude"].to_numpy(float), samples["latitude"].to_numpy(float)
        level = np.sin(x * (1 + name % 3) + 0.3 * year) + np.cos(y * (2 + name % 5) - 0.2 * year)
        u, v = np.meshgrid(np.linspace(-1, 1, 8), np.linspace(-1, 1, 8))
        slope = np.sin(3 * x)[:, None] * u.ravel() + np.cos(4 * y)[:, None] * v.ravel()
        return level[:, None] + 0.3 * slope


def write_embeddings(root: Path, n: int, settings: Settings | None = None) -> tuple[Project, Spec]:
    """Write samples, splits, ledger and embeddings of n samples below `root`; returns the project and the spec."""
    settings = settings or Settings()
    project = Project(root, settings)
    choices = {**choices_of(settings, None), "precision": "float32"}
    spec = Spec(choices, {channel.name: Statistics(0.0, 1.0) for channel in settings.rasters.channels}, "2026-01-01")
    spec.save(project.embeddings)
    folder = project.embeddings / spec.digest
    write_empty(folder, spec)
    samples = invented_samples(n)
    write_tables(project, samples)
    embedder = Invented(spec, load_encoder(spec, None, 0.1, "cpu"))
    for key, rows in samples.groupby("batch"):
        write(Batch(str(key), rows.reset_index(drop=True), {}, "inputs", "labels"), folder, spec, lambda: embedder)
    return project, spec


def invented_samples(n: int) -> pd.DataFrame:
    """Samples in the order of their batches."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"sample_id": [f"s{number:06d}" for number in range(n)]})
    frame["longitude"], frame["latitude"] = rng.uniform(9.0, 13.8, n), rng.uniform(47.3, 50.5, n)
    frame["organic_carbon"] = rng.lognormal(2.8, 0.7, n).round(1).clip(0, 150)
    frame["year"] = np.sort(rng.integers(2012, 2024, n)).astype(np.int32)
    frame["survey_date"] = pd.to_datetime(frame["year"].astype(str) + "-06-15")
    frame["season"], frame["season_year"], frame["source"] = "summer", frame["year"], "invented"
    frame["location_id"] = [f"l{number:06d}" for number in range(n)]
    return frame.assign(batch=[f"batch_{1 + number // SIZE:04d}" for number in range(n)])


def write_tables(project: Project, samples: pd.DataFrame) -> None:
    """The tables that the sampling stage writes."""
    n = len(samples)
    split = np.random.default_rng(1).choice(["train", "validation", "test"], n, p=[0.64, 0.16, 0.20])
    balanced = samples[["sample_id", "location_id"]].assign(split=split, bin=pd.array([0] * n, "Int32"))
    balanced = balanced.assign(multiplicity=np.int32(1), weight=np.float32(1))
    tables = {
        "samples": samples.drop(columns=["location_id", "batch"]),
        "balanced": balanced,
        "folds": samples[["sample_id"]].assign(scheme="location", fold=np.arange(n) % 5)[
            ["scheme", "sample_id", "fold"]
        ],
        "batches": samples[["sample_id", "batch"]],
    }
    for name, frame in tables.items():
        files.write_table(project.samples(name), frame)
