import pandas as pd

from soc_assets.ingest.extent import rasters_without_samples


def test_raster_that_overlaps_no_sample_is_found():
    place = {"year": 2020, "season": None, "crs": "EPSG:4326", "height": 10, "width": 10}
    catalog = pd.DataFrame(
        [
            {"path": "here.tif", "band": "A", "transform": [0.1, 0, 11, 0, -0.1, 49], **place},
            {"path": "elsewhere.tif", "band": "B", "transform": [0.1, 0, 13, 0, -0.1, 49], **place},
            {
                "path": "utm.tif",
                "band": "C",
                "transform": [1000, 0, 680000, 0, -1000, 5380000],
                **place,
                "crs": "EPSG:32632",
            },
        ]
    )
    samples = pd.DataFrame({"longitude": [11.5], "latitude": [48.5]})
    assert rasters_without_samples(catalog, samples) == ["elsewhere.tif"]
