"""load_features and the torch dataset give what the view gives."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch.utils.data import DataLoader

from soc_assets.errors import FeaturesError
from soc_assets.exporting.export import export
from soc_assets.features import FeatureDataset, load_features, selection
from soc_assets.features.dataset import FileOrder
from soc_assets_tests.features.sql.test_database import Built
from soc_assets_tests.small_world import project_of


def view(finished, where="true"):
    frame = finished.query(f"SELECT sample_id, organic_carbon, split, features FROM features WHERE {where}")
    return frame.set_index("sample_id")


def test_matrix_equals_the_view(finished):
    loaded = load_features(project=finished.config)
    expected = view(finished).loc[loaded.samples["sample_id"]]
    assert_array_equal(loaded.matrix, np.vstack(expected["features"].to_list()))
    assert_array_equal(loaded.organic_carbon, expected["organic_carbon"])
    assert loaded.samples["split"].tolist() == expected["split"].tolist()
    assert len(loaded.columns) == 19_968


def test_split_and_bands_choose_rows_and_columns(finished):
    loaded = load_features("test", ["LST", "Elevation"], project=finished.project)
    expected = view(finished, "split = 'test'").loc[loaded.samples["sample_id"]]
    whole = np.vstack(expected["features"].to_list())
    assert_array_equal(loaded.matrix, np.hstack([whole[:, :768], whole[:, 6 * 768 : 11 * 768]]))
    assert loaded.columns["position"].tolist() == [*range(768), *range(6 * 768, 11 * 768)]
    both = load_features(("train", "validation"), ["LAI"], project=finished.project)
    assert set(both.samples["split"]) == {"train", "validation"}
    assert len(both.samples) + len(loaded.samples) == 60


def test_pandas_has_a_named_column_per_feature_and_torch_the_same_numbers(finished):
    table = load_features("validation", ["LAI"], as_="pandas", project=finished.project)
    assert table.columns[-1] == "LAI lag 4 767"
    tensors = load_features("validation", ["LAI"], as_="torch", project=finished.project)
    assert tensors.matrix.dtype == torch.float32
    assert_array_equal(tensors.matrix, table[[name for name in table if name.startswith("LAI")]])
    assert_array_equal(tensors.organic_carbon, table["organic_carbon"].astype(np.float32))


@pytest.mark.parametrize(
    "features",
    [
        {"missing": "null"},
        {"missing": "nearest_lag"},
        {"include": ["point"]},
        {"include": ["embedding", "point"], "missing": "nearest_lag"},
        {"alignment": "absolute"},
    ],
)
def test_every_setting_of_the_vector_is_read_as_the_view_has_it(tmp_path, features):
    world = Built(tmp_path)
    world.write()
    settings = world.settings.model_copy(
        update={
            "features": world.settings.features.model_copy(update=features),
            "study": world.settings.study.model_copy(update={"year_from": 2020, "year_to": 2021}),
            "paths": world.settings.paths.model_copy(update={"data": "."}),
        }
    )
    loaded = load_features(project=project_of(settings, tmp_path))
    frame = world.query("SELECT sample_id, features FROM features").set_index("sample_id")
    expected = np.vstack(frame.loc[loaded.samples["sample_id"], "features"].to_list()).astype(np.float32)
    assert expected.shape[0] == 3
    assert_array_equal(loaded.matrix, expected)


def test_wrong_split_band_and_kind_are_told(finished, fresh):
    with pytest.raises(FeaturesError, match="no split 'tests'"):
        load_features("tests", project=finished.project)
    with pytest.raises(FeaturesError, match="no band 'NDVI' in the features; there are Elevation, LAI"):
        load_features(bands=["NDVI"], project=finished.project)
    with pytest.raises(FeaturesError, match="numpy, torch or pandas"):
        load_features(as_="list", project=finished.project)
    with pytest.raises(FeaturesError, match="soc run --to features"):
        load_features(project=fresh.project)


def test_dataset_gives_the_rows_of_load_features_with_few_files_in_memory(finished):
    dataset = FeatureDataset("train", ["LAI", "LST"], finished.project, files_kept=2)
    loaded = load_features("train", ["LAI", "LST"], project=finished.project)
    assert len(dataset) == len(loaded.samples)
    for index in (0, 5, len(dataset) - 1, -1):
        features, carbon = dataset[index]
        assert_array_equal(features, loaded.matrix[index])
        assert carbon == np.float32(loaded.organic_carbon[index])
    assert len(dataset._kept) <= 2
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_file_order_visits_every_sample_once_in_a_new_order_each_epoch(finished):
    dataset = FeatureDataset(project=finished.project, bands=["Elevation"])
    order = FileOrder(dataset, files_at_once=2)
    first, second = list(order), list(order)
    assert sorted(first) == sorted(second) == list(range(60))
    assert first != second
    batches = dataset.samples["batch"].to_numpy()[first]
    assert len(set(batches[:32])) == 2 or len(set(batches[:28])) == 2
    loader = DataLoader(dataset, batch_size=16, sampler=order)
    assert [tuple(features.shape) for features, _ in loader] == [(16, 768)] * 3 + [(12, 768)]


@pytest.mark.parametrize("reader", ["files", "npz", "dataset"])
def test_rows_that_a_run_has_taken_away_meanwhile_are_an_error_and_not_whatever_is_in_memory(
    finished, monkeypatch, tmp_path, reader
):
    """One file less (its batch is being rewritten), and one that holds other samples."""
    paths, read = selection.batch_paths, selection.read_images
    with (
        monkeypatch.context() as patched,
        pytest.raises(FeaturesError, match=r"\d+ of 60 samples were found.*soc status"),
    ):
        patched.setattr(selection, "batch_paths", lambda folder: paths(folder)[1:])
        if reader == "npz":
            export(finished.project, "features", "npz", tmp_path / "some.npz")
        else:
            load_features(project=finished.project)

    def others(*arguments):
        for images in read(*arguments):
            yield replace(images, sample_id=np.array([f"{name}, another" for name in images.sample_id], object))

    monkeypatch.setattr(selection, "read_images", others)
    with pytest.raises(FeaturesError, match=r"0 of \d+ samples were found"):
        FeatureDataset(project=finished.project)[0] if reader == "dataset" else load_features(project=finished.project)
    assert list(tmp_path.iterdir()) == []
