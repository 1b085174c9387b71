import json

import pandas as pd
import pytest

from soc_assets.errors import SamplingError
from soc_assets.geo.polygons import read_region
from soc_assets.sampling.filters import ABOVE_MAX_OC, OUTSIDE_REGION, TIME_RANGE, apply_filters
from soc_assets.settings import Study

SQUARE = {"type": "Polygon", "coordinates": [[[11, 48], [12, 48], [12, 49], [11, 49], [11, 48]]]}


def rows(**columns):
    n = len(next(iter(columns.values())))
    table = {"sample_id": [f"s{i}" for i in range(n)], "longitude": [11.5] * n, "latitude": [48.5] * n}
    table |= {"organic_carbon": [20.0] * n, "year": pd.array([2015] * n, dtype="Int32")}
    return pd.DataFrame(table | columns)


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_time_range_is_inclusive_and_passes_rows_without_a_year():
    samples = rows(year=pd.array([2011, 2012, 2023, 2024, None], dtype="Int32"))
    kept, excluded = apply_filters(samples, Study(), None)
    assert kept.tolist() == [False, True, True, False, True]
    assert excluded["filter"].tolist() == [TIME_RANGE, TIME_RANGE]
    assert excluded["detail"].tolist() == ["year 2011, kept are 2012 to 2023", "year 2024, kept are 2012 to 2023"]


def test_max_oc_itself_is_kept_and_missing_carbon_is_not():
    kept, excluded = apply_filters(rows(organic_carbon=[150.0, 150.1, float("nan")]), Study(), None)
    assert kept.tolist() == [True, False, False]
    assert set(excluded["filter"]) == {ABOVE_MAX_OC}
    assert excluded["detail"].iloc[0] == "150.1 g/kg, kept up to 150 g/kg"


def test_first_failing_filter_names_the_reason_and_each_sample_is_excluded_once(tmp_path):
    region = write(tmp_path / "region.geojson", SQUARE)
    samples = rows(
        year=pd.array([2000, 2015, 2015], dtype="Int32"),
        organic_carbon=[500.0, 500.0, 20.0],
        longitude=[20.0, 20.0, 20.0],
    )
    kept, excluded = apply_filters(samples, Study(), region)
    assert not kept.any()
    assert excluded["filter"].tolist() == [TIME_RANGE, ABOVE_MAX_OC, OUTSIDE_REGION]
    assert excluded["detail"].iloc[2] == "20.0, 48.5 is not inside region.geojson"


def test_region_keeps_points_inside_and_on_its_border(tmp_path):
    region = write(tmp_path / "r.geojson", SQUARE)
    kept, _ = apply_filters(rows(longitude=[11.5, 12.0, 12.001], latitude=[48.5] * 3), Study(), region)
    assert kept.tolist() == [True, True, False]


def test_collections_features_and_bare_geometries_are_the_same_region(tmp_path):
    feature = {"type": "Feature", "properties": {}, "geometry": SQUARE}
    point = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [0, 0]}}
    nothing = {"type": "Feature", "properties": {}, "geometry": None}
    forms = [SQUARE, feature, {"type": "FeatureCollection", "features": [point, nothing, feature, feature]}]
    forms.append({"type": "GeometryCollection", "geometries": [SQUARE]})
    for number, form in enumerate(forms):
        assert read_region(write(tmp_path / f"{number}.geojson", form)).geometry.area == pytest.approx(1)


def test_a_region_drawn_across_itself_is_mended(tmp_path):
    bow_tie = {"type": "Polygon", "coordinates": [[[11, 48], [12, 49], [12, 48], [11, 49], [11, 48]]]}
    assert read_region(write(tmp_path / "b.geojson", bow_tie)).geometry.area == pytest.approx(0.5)


@pytest.mark.filterwarnings("ignore:Non closed ring:RuntimeWarning")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json at all", "cannot be read"),
        ([1, 2], "cannot be read"),
        ({"type": "Polygon"}, "cannot be read"),
        ({"type": "Polygon", "coordinates": [[[11, 48], [12, 49]]]}, "cannot be read"),
        ({"type": "Point", "coordinates": [11, 48]}, "holds no polygon"),
        ({"type": "FeatureCollection", "features": []}, "holds no polygon"),
        ({"type": "Polygon", "coordinates": [[[7e5, 5e6], [8e5, 5e6], [8e5, 6e6], [7e5, 5e6]]]}, "no WGS84 degrees"),
    ],
)
def test_unusable_region_is_an_error_that_names_the_file(tmp_path, content, message):
    path = write(tmp_path / "region.geojson", content)
    with pytest.raises(SamplingError, match=rf"region\.geojson.*{message}"):
        apply_filters(rows(year=pd.array([2015], dtype="Int32")), Study(), path)


def test_missing_region_file_is_an_error_that_names_the_setting(tmp_path):
    with pytest.raises(SamplingError, match=r"nowhere\.geojson does not exist.*study\.region"):
        read_region(tmp_path / "nowhere.geojson")


def test_region_that_is_a_folder_or_not_utf8_is_an_error(tmp_path):
    (tmp_path / "latin.geojson").write_bytes(b'{"type": "M\xfcnchen"}')
    for path in (tmp_path, tmp_path / "latin.geojson"):
        with pytest.raises(SamplingError, match="cannot be read"):
            read_region(path)
