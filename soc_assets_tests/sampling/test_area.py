import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from soc_assets.geo.reference_grid import reference_grid
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.sampling.area import prediction_area
from soc_assets.settings import Band, Rasters


@pytest.mark.parametrize(
    ("hole", "how", "alpha"),
    [
        (-9999, {"fill_values": (-9999,)}, False),
        (5000, {"valid_range": (0, 3000)}, False),
        (0, {}, True),
        (7, {}, False),
    ],
    ids=["fill value", "valid range", "alpha", "all values"],
)
def test_area_leaves_out_places_without_a_value_as_the_embedding_reads_them(tmp_path, hole, how, alpha):
    values = np.full((40, 40), 500, "int16")
    values[:, :10] = hole
    bands = np.stack([values, np.where(values == hole, 0, 255)]) if alpha else values[None]
    profile = {"driver": "GTiff", "crs": "EPSG:4326", "transform": from_origin(11, 49, 0.01, 0.01), "dtype": "int16"}
    profile |= {"alpha": "yes"} if alpha else {}
    with rasterio.open(tmp_path / "Elevation.tif", "w", count=len(bands), height=40, width=40, **profile) as file:
        file.write(bands.astype("int16"))
    rasters = Rasters(bands=(Band(name="Elevation", kind="static", pattern="Elevation.tif", **how),))
    catalog = scan_rasters(rasters, tmp_path).frame
    area = prediction_area(reference_grid(catalog, rasters), None, catalog, rasters, count=1600)
    assert len(area) == (1600 if hole == 7 else 1200)
    assert area[:, 0].min() == pytest.approx(11.005 if hole == 7 else 11.105)
