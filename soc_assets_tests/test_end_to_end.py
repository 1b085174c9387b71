"""The whole platform on a small project: rasters and soil tables to a registered model, through Dagster on disk."""

import runpy
from pathlib import Path

import dagster as dg
import mlflow
import numpy as np
import pandas as pd
import pytest
import rasterio
import rasterio.warp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score

from soc_assets.embedding.encoder.architecture import ARCHITECTURES
from soc_assets.embedding.encoder.weights import load_weights
from soc_assets.tracking.store import tracking_of
from soc_assets_tests.small_project import (
    BATCHES,
    N_FEATURES,
    YEARLY,
    YEARS,
    carbon,
    image,
    lai_plane,
    lst_plane,
    materialised,
    model_record,
    places,
    sheet,
)
from soc_assets_tests.small_world import coordinates_of_pixels, reference_grid, reference_transform

SNIPPET = Path(__file__).parents[1] / "docs/snippets/flatten.py"


def studied() -> pd.DataFrame:
    """The 60 samples as the soil tables were written: row, column, year, place, organic carbon."""
    rows, columns, years = places()
    longitude, latitude = coordinates_of_pixels(rows, columns, reference_grid())
    frame = pd.DataFrame({"row": rows, "column": columns, "year": years, "longitude": longitude, "latitude": latitude})
    return frame.assign(carbon=carbon(rows, columns))


def with_truth(embeddings: pd.DataFrame) -> pd.DataFrame:
    """The embeddings' rows beside the pixel they come from, found by place and year."""
    keys = ["year", "x", "y"]
    left, right = (
        frame.assign(year=frame["year"].astype(int), x=frame["longitude"].round(6), y=frame["latitude"].round(6))
        for frame in (embeddings, studied())
    )
    joined = left.merge(right[[*keys, "row", "column", "carbon"]], on=keys, validate="one_to_one")
    assert len(joined) == len(embeddings)
    return joined


def mean_token(window: np.ndarray) -> np.ndarray:
    """Patch embedding of a normalised window [16, 16] as three equal frames, every token, then their mean [768]."""
    encoder = load_weights(ARCHITECTURES["vit_base_patch8"], None, 42, 16, "patch_embed").encoder
    kernel = encoder.patch_embed.proj.weight.detach().double().numpy()[:, 0]  # [768, 3, 8, 8]
    bias = encoder.patch_embed.proj.bias.detach().double().numpy()
    tokens = [
        np.einsum("wtij,tij->w", kernel, np.stack([window[i : i + 8, j : j + 8]] * 3)) + bias
        for i in (0, 8)
        for j in (0, 8)
    ]
    return np.mean(tokens, axis=0)


def normalised(window: np.ndarray, band: str) -> np.ndarray:
    pixels = np.concatenate([sheet(band, year)[0].astype(np.float32).ravel() for year in YEARS]).astype(float)
    return (window - pixels.mean()) / pixels.std()


def test_rows_are_kept_rejected_and_excluded_as_they_were_made(finished):
    assert len(finished.table("samples")) == 62
    assert sorted(finished.table("rejected")["reason"]) == [
        "below detection limit", "no date", "organic carbon missing", "outside the rasters",
    ]  # fmt: skip
    assert sorted(finished.table("excluded")["filter"]) == ["organic carbon above max_oc", "time range"]
    balanced = finished.table("balanced")
    assert len(balanced) == 60
    assert balanced["location_id"].nunique() == 59
    per_location = balanced.groupby("location_id")["split"].nunique()
    assert per_location.max() == 1
    locations = balanced.drop_duplicates("location_id")["split"].value_counts().to_dict()
    assert locations == {"train": 38, "test": 12, "validation": 9}


def test_every_batch_holds_its_rows_with_the_carbon_of_the_tables(finished):
    assert {batch: len(pd.read_parquet(path)) for batch, path in finished.batch_files().items()} == BATCHES
    assert [path.name for path in finished.batch_files().values()][-1] == "batch_0004_size_12.parquet"
    joined = with_truth(finished.embeddings())
    assert_allclose(joined["organic_carbon"], joined["carbon"])
    by_batch = joined.groupby("batch")["year"].agg(["min", "max"])
    assert by_batch.to_numpy().tolist() == [[year, year] for year in (2012, 2013, 2014, 2015)]


def test_embeddings_equal_those_computed_from_the_geotiffs_in_numpy(finished):
    row = with_truth(finished.embeddings()).iloc[5]
    there = np.s_[row["row"] - 8 : row["row"] + 8, row["column"] - 8 : row["column"] + 8]
    with rasterio.open(finished.root / "data/rasters/static/Elevation.tif") as dataset:
        elevation = dataset.read(1).astype(float)
    expected = mean_token((elevation[there] - elevation.mean()) / elevation.std())
    assert_allclose(image(row, "Elevation")[0], expected, atol=1e-5)
    with rasterio.open(finished.raster("MODIS_NPP", 2011)) as dataset:
        expected = mean_token(normalised(dataset.read(1).astype(float)[there], "MODIS_NPP"))
    assert_allclose(image(row, "MODIS_NPP_2011")[0], expected, atol=1e-5)


@pytest.mark.parametrize(("band", "plane"), [("LAI", lai_plane), ("LST", lst_plane)])
def test_coarser_and_reprojected_rasters_are_read_at_the_samples_place(finished, band, plane):
    row = with_truth(finished.embeddings()).iloc[-1]
    columns, rows = np.meshgrid(row["column"] + np.arange(-8, 8) + 0.5, row["row"] + np.arange(-8, 8) + 0.5)
    x, y = reference_transform() * (columns, rows)
    if band == "LST":
        flat = rasterio.warp.transform("EPSG:25832", "EPSG:4326", x.ravel().tolist(), y.ravel().tolist())
        x, y = (np.reshape(values, x.shape) for values in flat[:2])
    expected = mean_token(normalised(plane(x, y, 2013), band))
    found = image(row, f"{band}_2013")[0]
    assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_features_view_has_every_sample_at_full_length(finished):
    found = finished.query("SELECT count(*) n, min(len(features)) low, max(len(features)) high FROM features")
    assert found.iloc[0].tolist() == [60, N_FEATURES, N_FEATURES]
    missing = finished.query("SELECT s.year, f.missing_images m FROM features f JOIN samples s USING (sample_id)")
    assert missing.groupby("year")["m"].agg(["min", "max"]).to_numpy().tolist() == [[1, 1], [1, 1], [1, 1], [0, 0]]


def test_plain_pandas_snippet_reaches_the_same_vectors_as_the_view(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.root)
    found = runpy.run_path(str(SNIPPET))
    frame, vectors = found["frame"], found["features"]
    assert capsys.readouterr().out.startswith(f"60 samples x {N_FEATURES} features")
    view = finished.query("SELECT sample_id, features FROM features").set_index("sample_id")["features"]
    assert_array_equal(vectors, np.vstack(view.loc[frame["sample_id"]].to_list()))
    assert vectors.shape == (60, N_FEATURES)
    assert vectors.dtype == np.float32


def test_each_sample_has_25_keys_most_recent_first_and_none_where_the_raster_is_missing(finished):
    for _, row in finished.embeddings().iterrows():
        images = dict(row["channel_time_embeddings"])
        assert list(images) == [f"{band}_{row['year'] - lag}" for band in YEARLY for lag in range(5)]
        assert np.vstack(row["elevation_embedding"]).shape == (1, 768)
        absent = {key for key, value in images.items() if value is None}
        assert absent == ({"SoilEvaporation_2010"} & set(images))
        assert all(np.vstack(value).shape == (1, 768) for value in images.values() if value is not None)


def test_registered_model_predicts_what_the_run_recorded_and_its_r2_is_that_of_the_table(finished):
    record = model_record(finished)
    predictions = pd.read_csv(record.artifacts.folder / "tables/predictions.csv")
    view = finished.query("SELECT sample_id, split, organic_carbon, features FROM features ORDER BY sample_id")
    mlflow.set_tracking_uri(tracking_of(finished.project).uri)
    model = mlflow.pyfunc.load_model("models:/soc_mlp/1")
    assert record.model_uri == "models:/soc_mlp/1"
    assert predictions[["sample_id", "split"]].equals(view[["sample_id", "split"]].astype(predictions["split"].dtype))
    assert_allclose(predictions["observed"], view["organic_carbon"])
    assert_allclose(model.predict(np.vstack(view["features"].to_list()))[:, 0], predictions["predicted"], rtol=1e-5)
    for split, rows in predictions.groupby("split"):
        assert record.metrics[f"{split}_r2"] == pytest.approx(r2_score(rows["observed"], rows["predicted"]))
        assert record.metrics[f"{split}_n"] == len(rows)


def test_dagster_knows_every_batch_and_what_was_computed(finished):
    finished.use()
    with dg.DagsterInstance.get() as instance:
        assert sorted(instance.get_dynamic_partitions("batch")) == list(BATCHES)
        assert instance.get_materialized_partitions(dg.AssetKey("embeddings")) == set(BATCHES)
        jobs = [run.job_name for run in instance.get_runs() if run.status == dg.DagsterRunStatus.SUCCESS]
    assert sorted(jobs) == ["embed", "learn", "prepare"]
    for batch, samples in BATCHES.items():
        facts = materialised(finished, batch)
        assert (facts["cached"], facts["outcome"], facts["samples"]) == (False, "computed", samples)
        assert facts["missing_images"] == (0 if batch == "batch_0004" else samples)
        assert facts["weights"] == "random (seed 42)"
