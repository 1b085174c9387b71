"""A small world with a spec, for the tests of embedding and features."""

import numpy as np
import pandas as pd
from rasterio.transform import from_origin

from soc_assets.embedding.batch import describe, write
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder.encoder import load_encoder
from soc_assets.embedding.spec import freeze
from soc_assets.embedding.spec_choices import choices_of
from soc_assets.rasters.index import RasterIndex
from soc_assets.rasters.mosaic import read_source
from soc_assets.settings import Band, Embedding
from soc_assets_tests.small_world import ORIGIN, catalog_of, samples_at, write_raster, write_world


def window_of(source, grid, top, left, size=16):
    return read_source(source, grid, top, left, size, size)


class World:
    """A small world with a spec, and a way to write its batch and count what was embedded."""

    def __init__(self, folder, **embedding):
        self.folder = folder
        self.settings = write_world(folder / "rasters")
        if embedding:
            options = {"image_size": 16} | embedding
            self.settings = self.settings.model_copy(update={"embedding": Embedding(**options)})
        self.refresh()
        self.samples = samples_at([20, 30, 40, 2], [20, 30, 45, 60], [2020, 2021, 2020, 2021], self.raster_index.grid)

    def refresh(self):
        self.catalog = catalog_of(self.settings, self.folder / "rasters")
        self.spec = freeze(self.folder / "embeddings", choices_of(self.settings, None), self.catalog)
        self.raster_index = RasterIndex.of_catalog(
            self.catalog, self.spec.bands, self.spec.choices["reference"], self.spec.grid
        )
        self.home = self.folder / "embeddings" / self.spec.digest

    def add_band(self, name):
        bands = (*self.settings.rasters.bands, Band(name=name))
        for year in range(2018, 2022):
            values = np.random.default_rng(year).normal(9, 2, (32, 32)).astype(np.float32)
            write_raster(
                self.folder / f"rasters/yearly/{name}/{name}_{year}.tif", values, from_origin(*ORIGIN, 500, 500)
            )
        rasters = self.settings.rasters.model_copy(update={"bands": bands})
        self.settings = self.settings.model_copy(update={"rasters": rasters})
        self.refresh()

    def batch(self):
        return describe("batch_0001", self.samples, self.spec, self.raster_index)

    def write(self):
        embedder = Embedder(self.spec, self.raster_index, load_encoder(self.spec, None, 0.1, "cpu"), 64)
        written = write(self.batch(), self.home, self.spec, lambda: embedder)
        return written, pd.read_parquet(written.path)

    def write_anew(self):
        """Compute the batch again, whatever its file says."""
        self.batch().path(self.home).unlink()
        self.write()
