"""Profiles given by horizons become one sample of the study's depth."""

import numpy as np
import pytest

from soc_assets.ingest.soil.spline import spline_mean
from soc_assets_tests.ingest.soil.soil_world import reasons, write

HEADER = "id,lon,lat,top,bottom,OC,year"
PROFILES = [
    *("1,11.1,48.5,0,10,30,2015", "1,11.1,48.5,10,30,20,2015", "1,11.1,48.5,30,60,5,2015"),
    *("2,11.2,48.5,0,25,18,2015", "2,11.2,48.5,25,60,6,2015"),
    "3,11.3,48.5,0,30,9,2015",
    *("4,11.4,48.5,0,12,9,2015", "4,11.4,48.5,22,40,9,2015"),
    *("5,11.5,48.5,0,10,40,2015", "5,11.5,48.5,10,20,< LOD,2015"),
]


def test_horizons_are_averaged_by_their_overlap_and_counted(tmp_path, build):
    write(tmp_path / "soil/a.csv", HEADER, *PROFILES)
    result = build()
    kept = result.samples.sort_values("row")
    assert kept[["row", "organic_carbon", "horizons"]].values.tolist() == [[2, 25.0, 2], [5, 18.0, 1], [7, 9.0, 1]]
    deeper, little = "depth not topsoil", "profile covers too little of the depth"
    assert reasons(result) == {
        **{3: "joined to its profile", 4: deeper, 6: deeper, 8: little, 9: deeper, 10: little},
        11: "below detection limit",
    }
    details = result.rejected.set_index("row")["detail"]
    assert details[3] == "part of the sample of row 2"
    assert details[8] == "0-12: 60% of 0-20 cm, [soil] min_cover = 0.9"


def test_the_share_that_must_be_covered_and_the_depth_are_settings(tmp_path, build):
    write(tmp_path / "soil/a.csv", HEADER, *PROFILES)
    kept = build(min_cover=0.5, depth="0-30").samples.sort_values("row")
    assert kept["organic_carbon"].to_list() == pytest.approx([70 / 3, 16.0, 9.0, 9.0])
    assert kept["horizons"].to_list() == [2, 2, 1, 2]
    whole = build(depth="topsoil").samples
    assert sorted(whole["organic_carbon"]) == [9.0, 9.0, 18.0, 30.0, 40.0]


def test_a_row_of_the_exact_depth_and_tables_without_horizons_stay_as_they_are(tmp_path, build):
    lines = [
        "1,11.1,48.5,0,20,30,2015",
        "1,11.1,48.5,20,30,5,2015",
        "2,11.2,48.5,0,30,9,2015",
        "3,11.3,48.5,0,10,9,2015",
    ]
    write(tmp_path / "soil/a.csv", HEADER, *lines, *(f"{n},11.{n},48.5,0,20,7,2015" for n in range(4, 9)))
    result = build(horizons="spline")
    assert sorted(result.samples["organic_carbon"]) == [7.0] * 5 + [30.0]
    assert set(reasons(result).values()) == {"depth not topsoil"}


def test_ids_of_horizons_do_not_part_a_profile(tmp_path, build):
    lines = [
        "1a,11.1,48.5,0,10,30,2015",
        "1b,11.1,48.5,10,30,20,2015",
        "2a,11.2,48.5,0,5,8,2015",
        "2b,11.2,48.5,5,40,4,2015",
    ]
    write(tmp_path / "soil/a.csv", HEADER, *lines)
    assert sorted(build().samples["organic_carbon"]) == [5.0, 25.0]


def test_the_spline_keeps_the_mean_of_horizons_and_is_taken_when_asked(tmp_path, build):
    tops, bottoms, means = np.array([0.0, 10, 30]), np.array([10.0, 30, 60]), np.array([30.0, 20, 5])
    for top, bottom, mean in zip(tops, bottoms, means, strict=True):
        assert spline_mean(tops, bottoms, means, (top, bottom), 0.0) == pytest.approx(mean)
    write(tmp_path / "soil/a.csv", HEADER, *PROFILES[:3])
    value = build(horizons="spline", spline_smoothing=0).samples["organic_carbon"].item()
    assert value == pytest.approx(spline_mean(tops, bottoms, means, (0, 20), 0.0))
    assert 25 < value < 30  # carbon falls with depth, so the upper half of 10-30 is richer than its mean


def test_the_spline_is_the_smoothest_curve_among_those_that_fit():
    """Of all curves on a fine grid the least of misfit + lambda x integral of squared slopes."""
    tops, bottoms, means, smoothing, step = (
        np.array([0.0, 10, 40]),
        np.array([10.0, 30, 60]),
        np.array([30.0, 18, 4]),
        0.1,
        0.25,
    )
    middles = np.arange(step / 2, 60, step)
    average = np.array([((middles > a) & (middles < b)) / ((b - a) / step) for a, b in zip(tops, bottoms, strict=True)])
    slopes = np.diff(np.eye(len(middles)), axis=0) / step
    matrix = average.T @ average / len(means) + smoothing * step * slopes.T @ slopes
    curve = np.linalg.solve(matrix, average.T @ means / len(means))
    for limits in ((0, 20), (0, 5), (25, 45)):
        inside = (middles > limits[0]) & (middles < limits[1])
        assert spline_mean(tops, bottoms, means, limits, smoothing) == pytest.approx(curve[inside].mean(), rel=2e-3)
