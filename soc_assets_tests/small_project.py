"""A small project on disk, with everything a user has: soc.toml, rasters of the default bands, soil tables.

By construction: 60 samples studied, 16 each of 2012, 2013 and 2014 and 12 of 2015, so that batches of 16 are years; 4
rows rejected, 2 excluded by the study's filters; one raster missing (SoilEvaporation of 2010, read by the samples of
2012 to 2014). Values are known: Elevation and MODIS_NPP are noise on the reference grid, LAI (500 m) and LST in degrees
are planes, which bilinear resampling keeps.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import dagster as dg
import duckdb
import numpy as np
import pandas as pd
import rasterio
from rasterio.transform import Affine, from_origin

from soc_assets.cli import runner
from soc_assets.project import Project, load_project
from soc_assets.regression.inputs import model_inputs
from soc_assets.storage import files
from soc_assets.tracking.run import RunRecord
from soc_assets.tracking.store import tracking_of
from soc_assets_tests.small_world import ORIGIN, PIXEL, UTM, coordinates_of_pixels, reference_grid, reference_transform

SIZE = 64
WINDOW = 16
YEARS = range(2008, 2016)
YEARLY = ("LAI", "LST", "MODIS_NPP", "SoilEvaporation", "TotalEvapotranspiration")
BATCHES = {"batch_0001": 16, "batch_0002": 16, "batch_0003": 16, "batch_0004": 12}
N_FEATURES = 19_968
SETTINGS = """
[sampling]
batch_size = 16
block_size = 8

[embedding]
image_size = 16
device = "cpu"

[training]
hidden = [8, 4]
epochs = 2
learning_rate = 1e-3
device = "cpu"
"""
QUICK_EVALUATION = """
[evaluation]
schemes = ["location"]
models = ["ridge"]
feature_sets = ["point"]
draws = 100
workers = 1
trials = 2
learning_curve = []
network_choices = 0
source_offsets = false

[[evaluation.candidates]]
name = "few"
hidden = [8]
epochs = 2
members = 2
features = "point:1"
"""


@contextmanager
def clean_environment() -> Iterator[None]:
    """No setting, no instance and no MLflow server from outside; what is set inside is forgotten afterwards."""
    with mock.patch.dict(os.environ):
        for name in list(os.environ):
            if name.upper().startswith(("SOC_", "DAGSTER_", "MLFLOW_")):
                del os.environ[name]
        yield
        if mlflow := sys.modules.get("mlflow"):
            mlflow.set_tracking_uri(None)


@dataclass(frozen=True)
class SmallProject:
    """The project in `root`."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "soc.toml"

    @property
    def project(self) -> Project:
        return load_project(self.config)

    def use(self) -> Project:
        """Make this process use its settings and Dagster instance, as the command line does."""
        project = self.project
        runner.use_project(project, self.config)
        return project

    def run(self, to: str = "mlp_model") -> runner.Outcome:
        return runner.run(self.use(), to)

    def set(self, old: str, new: str) -> None:
        """Change soc.toml."""
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def raster(self, band: str, year: int) -> Path:
        return self.root / f"data/rasters/yearly/{band}/{band}_{year}.tif"

    def batch_files(self) -> dict[str, Path]:
        """The Parquet file of each batch."""
        return {path.name[:10]: path for path in sorted(self.root.glob("data/embeddings/*/batch_*_size_*.parquet"))}

    def embeddings(self) -> pd.DataFrame:
        return pd.concat([pd.read_parquet(path) for path in self.batch_files().values()], ignore_index=True)

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.project.samples(name))

    def query(self, sql: str) -> pd.DataFrame:
        with duckdb.connect(self.project.database, read_only=True) as connection:
            return connection.sql(sql).to_arrow_table().to_pandas()

    def stamps(self) -> dict[str, int]:
        """Time of change of every file but Dagster's own, which notes that it was opened, and what is kept of looks."""
        aside = {".dagster", "known"}
        files = [path for path in self.root.rglob("*") if path.is_file() and not aside & set(path.parts)]
        return {str(path.relative_to(self.root)): path.stat().st_mtime_ns for path in files}


def copy_of(made: SmallProject, root: Path, settings: str) -> SmallProject:
    """The same project elsewhere, with more settings and no MLflow runs."""
    shutil.copytree(made.root, root, ignore=shutil.ignore_patterns("mlruns"))
    copy = SmallProject(root)
    copy.config.write_text(copy.config.read_text() + settings)
    return copy


def write_project(root: Path) -> SmallProject:
    """Write soc.toml, the rasters and the soil tables."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "soc.toml").write_text(SETTINGS)
    write_rasters(root / "data/rasters")
    write_soil(root / "data/soil")
    return SmallProject(root)


def write_rasters(folder: Path) -> None:
    """Elevation and the yearly bands of 2008 to 2015, without SoilEvaporation of 2010."""
    stream = np.random.default_rng(7)
    write_tiff(folder / "static/Elevation.tif", stream.normal(500, 90, (SIZE, SIZE)), reference_transform())
    for year in YEARS:
        for band in YEARLY:
            if (band, year) != ("SoilEvaporation", 2010):
                values, transform, crs = sheet(band, year)
                write_tiff(folder / f"yearly/{band}/{band}_{year}.tif", values, transform, crs)


def sheet(band: str, year: int, seed: int = 0) -> tuple[np.ndarray, Affine, str]:
    """Values, transform and CRS of one yearly raster."""
    stream = np.random.default_rng([seed, year, YEARLY.index(band)])
    if band == "LST":
        transform = from_origin(10.25, 48.85, 0.004, 0.004)
        columns, rows = np.meshgrid(np.arange(100) + 0.5, np.arange(100) + 0.5)
        return lst_plane(*(transform * (columns, rows)), year), transform, "EPSG:4326"
    if band == "LAI":
        transform = from_origin(*ORIGIN, 2 * PIXEL, 2 * PIXEL)
        columns, rows = np.meshgrid(np.arange(SIZE // 2) + 0.5, np.arange(SIZE // 2) + 0.5)
        return lai_plane(*(transform * (columns, rows)), year), transform, UTM
    return stream.normal(100, 20, (SIZE, SIZE)), reference_transform(), UTM


def lst_plane(longitude: np.ndarray, latitude: np.ndarray, year: int) -> np.ndarray:
    return 14_300 + 400 * (longitude - 10.4) * (1 + (year - YEARS[0]) / 8) + 250 * (latitude - 48.7)


def lai_plane(x: np.ndarray, y: np.ndarray, year: int) -> np.ndarray:
    return 15 + (x - ORIGIN[0]) / 4000 * (1 + (year - YEARS[0]) / 8) + (y - ORIGIN[1]) / 6000


def write_tiff(path: Path, values: np.ndarray, transform: Affine, crs: str = UTM) -> None:
    """Deflated strips of 16 rows: damaged bytes cannot be read, as in a real file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"driver": "GTiff", "count": 1, "dtype": "float32", "compress": "deflate", "blockysize": 16}
    place = {"crs": crs, "transform": transform, "nodata": -9999, "height": len(values), "width": values.shape[1]}
    with rasterio.open(path, "w", **options, **place) as dataset:
        dataset.write(values.astype(np.float32), 1)


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """In the block a raster's pixels are spoilt as by a failing disk: nothing that the folder says of it tells."""
    content, before, known = path.read_bytes(), files.stamp(path), files.stamp
    with rasterio.open(path) as dataset:
        first = int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    path.write_bytes(content[:first] + b"\xff" * (len(content) - first))
    with mock.patch("soc_assets.storage.files.stamp", lambda file: before if file == path else known(file)):
        yield
    path.write_bytes(content)


def write_soil(folder: Path) -> None:
    """Two tables, LUCAS-like and as the combined file."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, columns, years = places()
    longitude, latitude = coordinates_of_pixels(rows, columns, reference_grid(SIZE))
    good = pd.DataFrame({"GPS_LONG": longitude, "GPS_LAT": latitude, "OC": carbon(rows, columns)})
    good["survey_date"] = [f"{year}-07-01" for year in years]
    good.iloc[:30].to_csv(folder / "a.csv", index=False)
    spoilt = good.iloc[30:36].astype(object)
    spoilt["survey_date"] = "2014-08-02"
    spoilt.loc[30, "OC"] = "< LOD"
    spoilt.loc[31, "OC"] = ""
    spoilt.loc[32, "GPS_LONG"] = 30.0
    spoilt.loc[33, "survey_date"] = "unknown"
    spoilt.loc[34, "OC"] = 300.0  # above max_oc
    spoilt.loc[35, "survey_date"] = "2005-07-01"  # before year_from
    pd.concat([good.iloc[30:], spoilt]).to_csv(folder / "b.csv", index=False)


def places() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and years [60] of the studied samples, whole windows inside; two share a place."""
    pixels = np.random.default_rng(3).permutation(49 * 49)[:60]
    pixels[16] = pixels[0]
    years = np.repeat([2012, 2013, 2014, 2015], [16, 16, 16, 12])
    return pixels // 49 + 8, pixels % 49 + 8, years


def carbon(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.round(10 + rows / 4 + columns / 8, 2)


def model_record(made: SmallProject) -> RunRecord:
    record = tracking_of(made.project).find_run(model_inputs(made.project))
    assert record is not None
    return record


def materialised(made: SmallProject, batch: str) -> dict:
    """Metadata of the batch's last materialisation, and the run it came from."""
    made.use()
    wanted = dg.AssetRecordsFilter(dg.AssetKey("embeddings"), asset_partitions=[batch])
    with dg.DagsterInstance.get() as instance:
        record = instance.fetch_materializations(wanted, limit=1).records[0]
    assert record.asset_materialization is not None
    return {name: value.value for name, value in record.asset_materialization.metadata.items()} | {"run": record.run_id}


def image(row: pd.Series, key: str) -> np.ndarray:
    """An embedding that is not null [1, 768]."""
    return np.vstack(row["elevation_embedding"] if key == "Elevation" else dict(row["channel_time_embeddings"])[key])
