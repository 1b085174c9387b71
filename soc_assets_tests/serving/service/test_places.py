"""Places of a request: a fault is the place's own reason and names its field; the others are understood."""

import json

import pandas as pd
import pytest

from soc_assets.ingest.soil.points import understood
from soc_assets.mapping.points import read_points
from soc_assets.serving.service.places import MOST, RefusedError, cells_of, places_of, points_of

GOOD = {"longitude": 11.43, "latitude": 48.22, "year": 2018}


def reason(**changed) -> str:
    return understood(points_of(cells_of([{**GOOD, **changed}])))["reason"].item()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"longitude": None}, "longitude is missing"),
        ({"latitude": "48.22"}, "latitude is not a finite number: '48.22'"),
        ({"longitude": float("nan")}, "longitude is not a finite number: nan"),
        ({"latitude": float("-inf")}, "latitude is not a finite number: -inf"),
        ({"longitude": 10**400}, "longitude is not a finite number: 1000000"),
        ({"longitude": True}, "longitude is not a finite number: True"),
        ({"longitude": 4_400_000.0}, "longitude is not in degrees of WGS84: 4400000.0"),
        ({"latitude": 91}, "latitude is not in degrees of WGS84: 91"),
        ({"year": 2018.5}, "year is not a year: 2018.5"),
        ({"year": "2018"}, "year is not a year: '2018'"),
        ({"date": "31.05.2018"}, "date is not an ISO date such as 2018-05-31: '31.05.2018'"),
        ({"date": 20180531}, "date is not an ISO date such as 2018-05-31: 20180531"),
        ({"date": "2019-05-31"}, "date and year differ: '2019-05-31' and 2018"),
        ({"longitude": 0, "latitude": 0}, "no coordinates: 0, 0"),
        ({"lon": 3}, "'lon' is not a field; known are longitude, latitude, date, year"),
    ],
)
def test_fault_of_a_place_names_its_field(changed, words):
    assert reason(**changed).startswith(words)


@pytest.mark.parametrize("place", [None, 3, "11.4, 48.2", [11.4, 48.2]])
def test_what_is_no_place_is_told_and_the_others_are_understood(place):
    found = understood(points_of(cells_of([GOOD, place, GOOD])))
    assert list(found["reason"] == "") == [True, False, True]
    assert found["reason"][1].startswith("a place is an object with longitude, latitude and a date or year, not ")


@pytest.mark.parametrize(
    "given", [{"year": 2018}, {"year": 2018.0}, {"date": "2018-12-24"}, {"date": "2018-05-31"}, {}]
)
def test_places_are_read_as_the_same_rows_of_a_file(given, tmp_path):
    places = [{"longitude": 11.4312345678, "latitude": 48, **given}, {"longitude": -0.00001, "latitude": 48.2, **given}]
    table = pd.DataFrame(places).rename(columns={"date": "survey_date"})
    if "year" in table:
        table["year"] = table["year"].astype(int)
    table.to_csv(tmp_path / "points.csv", index=False)
    pd.testing.assert_frame_equal(
        understood(points_of(cells_of(places))), understood(read_points(tmp_path / "points.csv"))
    )


@pytest.mark.parametrize("body", [{"places": [GOOD]}, [GOOD], GOOD])
def test_one_place_or_a_list_of_them(body):
    assert places_of(json.loads(json.dumps(body))) == [GOOD]


@pytest.mark.parametrize("body", [{"places": []}, []])
def test_an_empty_list_has_no_places(body):
    assert places_of(body) == []


@pytest.mark.parametrize("body", ["11.4, 48.2", 3, None, {"places": GOOD}, {"places": "all"}])
def test_what_is_neither_is_refused_with_an_example(body):
    with pytest.raises(RefusedError, match=r'"longitude": 11\.43') as refused:
        places_of(body)
    assert refused.value.status == 422


def test_too_many_places_are_refused():
    with pytest.raises(RefusedError, match="10,001 places") as refused:
        places_of([GOOD] * (MOST + 1))
    assert refused.value.status == 413
