"""The macros answer what numpy computes from the batches' files."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pyproj import Geod


@pytest.fixture(scope="module")
def table(finished):
    """Features as a matrix [60, 26, 768], with the samples' columns."""
    frame = finished.query("SELECT f.*, s.location_id FROM features f JOIN samples s USING (sample_id) ORDER BY ALL")
    frame = frame.sort_values("sample_id", ignore_index=True)
    return frame, np.vstack(frame["features"].to_list()).reshape(len(frame), 26, 768)


def cosines(matrix, of):
    lengths = np.linalg.norm(matrix, axis=1)
    return matrix @ matrix[of] / (lengths * lengths[of])


@pytest.mark.parametrize(("bands", "slots"), [("NULL", slice(0, 26)), ("['LAI', 'Elevation']", slice(0, 6))])
def test_similar_is_the_exact_cosine_over_the_chosen_bands(finished, table, bands, slots):
    frame, images = table
    asked = frame["sample_id"][7]
    answer = finished.query(f"FROM similar('{asked}', 100, bands := {bands})")
    expected = cosines(images[:, slots].reshape(len(frame), -1), 7)
    assert len(answer) == len(frame) - 1
    assert asked not in set(answer["sample_id"])
    assert_allclose(answer["similarity"], np.sort(np.delete(expected, 7))[::-1], atol=1e-6)
    found = pd.Series(expected, frame["sample_id"]).loc[answer["sample_id"]]
    assert_allclose(answer["similarity"], found, atol=1e-6)


def test_similar_elsewhere_leaves_out_the_same_place(finished, table):
    frame, _ = table
    twice = frame[frame["location_id"].duplicated(keep=False)]
    assert len(twice) == 2
    asked, other = twice["sample_id"]
    assert other in set(finished.query(f"FROM similar('{asked}', 100)")["sample_id"])
    assert other not in set(finished.query(f"FROM similar('{asked}', 100, elsewhere := true)")["sample_id"])


def test_similar_gives_no_more_than_asked_and_nothing_for_an_unknown_sample(finished, table):
    assert len(finished.query(f"FROM similar('{table[0]['sample_id'][0]}', 3)")) == 3
    assert finished.query("FROM similar('nobody', 3)").empty


def test_similar_to_asks_for_the_nearest_sample(finished, table):
    row = table[0].iloc[11]
    place = f"{row['longitude'] + 1e-5}, {row['latitude']}"
    by_place = finished.query(f"FROM similar_to({place}, 4)")
    by_sample = finished.query(f"FROM similar('{row['sample_id']}', 4, elsewhere := true)")
    pd.testing.assert_frame_equal(by_place, by_sample)


def test_band_distance_is_the_mean_over_lags_that_both_have(finished, table):
    frame, images = table
    a, b = frame["sample_id"][[2, 5]]
    answer = finished.query(f"SELECT band_distance('{a}', '{b}', 'LST') AS d")["d"].item()
    assert_allclose(answer, np.linalg.norm(images[2, 6:11] - images[5, 6:11], axis=1).mean(), rtol=1e-5)


def test_drift_is_the_distance_between_two_lags_the_farthest_first(finished, table):
    frame, images = table
    answer = finished.query("FROM drift('LAI', 0, 3)")
    expected = np.linalg.norm(images[:, 1] - images[:, 4], axis=1)
    assert_allclose(answer["distance"], np.sort(expected)[::-1], rtol=1e-4)
    assert_allclose(answer["distance"], pd.Series(expected, frame["sample_id"]).loc[answer["sample_id"]], rtol=1e-4)


def test_drift_leaves_out_samples_whose_image_is_missing(finished):
    with_gap = finished.query(
        "SELECT DISTINCT sample_id FROM embedding_long WHERE band = 'SoilEvaporation' AND lag = 2 AND vector IS NULL"
    )
    answer = finished.query("FROM drift('SoilEvaporation', 0, 2)")
    assert 0 < len(with_gap) < 60
    assert len(answer) == 60 - len(with_gap)
    assert not set(answer["sample_id"]) & set(with_gap["sample_id"])


def test_within_km_measures_on_the_globe(finished, table):
    frame, _ = table
    longitude, latitude = frame["longitude"][0], frame["latitude"][0]
    n = len(frame)
    metres = Geod(ellps="sphere").inv([longitude] * n, [latitude] * n, frame["longitude"], frame["latitude"])[2]
    answer = finished.query(f"FROM within_km({longitude}, {latitude}, 4)").set_index("sample_id")
    expected = pd.Series(np.array(metres) / 1000, frame["sample_id"])
    answer = answer.loc[answer.index.isin(expected.index), "distance_km"]  # of the samples studied
    assert set(answer.index) == set(expected.index[expected <= 4])
    assert_allclose(answer, expected.loc[answer.index], rtol=1e-3)
    assert answer.is_monotonic_increasing


def test_vec_and_feature_group_are_the_files_numbers(finished, table):
    frame, images = table
    asked = frame["sample_id"][3]
    columns = f"vec('{asked}', 'LST', 2) AS v, vec('{asked}', 'Elevation', NULL) AS e"
    answer = finished.query(f"SELECT {columns}").iloc[0]
    assert_allclose(answer["v"], images[3, 8], rtol=1e-6)
    assert_allclose(answer["e"], images[3, 0], rtol=1e-6)
    group = f"SELECT feature_group(features, 'LST', 2) AS g FROM features WHERE sample_id = '{asked}'"
    assert_allclose(finished.query(group)["g"].item(), images[3, 8], rtol=1e-6)


def test_pca_is_fitted_on_the_training_split_and_cut_at_n(finished, table):
    frame, images = table
    missing = ~images.any(axis=2)
    train = (frame["split"] == "train").to_numpy()
    mean = np.where(missing[train, :, None], np.nan, images[train])
    mean = np.nanmean(mean, axis=0)
    centred = np.where(missing[:, :, None], 0, images - mean).reshape(len(frame), -1)
    _, _, axes = np.linalg.svd(centred[train], full_matrices=False)
    expected = centred @ axes[:2].T
    answer = finished.query("FROM pca(2)").set_index("sample_id").loc[frame["sample_id"]]
    assert [name for name in answer if name.startswith("pc")] == ["pc1", "pc2"]
    for number in range(2):
        found = answer[f"pc{number + 1}"].to_numpy()
        found = found * np.sign(found @ expected[:, number])
        assert_allclose(found, expected[:, number], atol=1e-3 * np.abs(expected).max())
    share = finished.query("FROM pca_variance")["share"]
    assert share.is_monotonic_decreasing and 0 < share.sum() <= 1 + 1e-9
