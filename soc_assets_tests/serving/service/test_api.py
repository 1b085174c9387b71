"""The service answers as `soc predict` does, says what is wrong with a request, and answers no stranger."""

import asyncio
import json
import logging

import pandas as pd
import pytest

from soc_assets.errors import RasterError
from soc_assets.mapping.points import predict_values, read_points, values_of
from soc_assets.mapping.registered import Registered
from soc_assets.mapping.rows import Predictor
from soc_assets.serving.service.api import MOST_BYTES, Service, make_api
from soc_assets.serving.service.batches import Batches
from soc_assets.serving.service.places import points_of
from soc_assets.tracking.champion import card_of
from soc_assets.tracking.registered import load_registered
from soc_assets.tracking.store import tracking_of
from soc_assets_tests.serving.asking import Answer, Asked
from soc_assets_tests.small_world import coordinates_of_pixels, reference_grid

JSON = {"content-type": "application/json"}
PLACE = {"longitude": 11.43, "latitude": 48.22, "year": 2018}


def post(app: Asked, body: object, **options) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return app.ask("/predict", method="POST", body=content, **{"headers": JSON, **options})


def stand_in(predict=None, **options) -> Asked:
    """A service whose model says the same of every place."""

    def same(points: pd.DataFrame) -> pd.DataFrame:
        answer = {"predicted": 20.5, "lower": None, "applicable": "yes", "missing_images": 0, "reason": ""}
        return pd.DataFrame([answer] * len(points))

    registered = Registered(None, "models:/soc_mlp/7", "abc", "embedding", weights="random (seed 42)", level=0.9)
    return Asked(make_api(Service(registered, "# Card", Batches(predict or same), **options)))


@pytest.fixture(scope="module")
def real(finished) -> tuple[Asked, Registered]:
    """The service of a finished project."""
    tracking = tracking_of(finished.project)
    registered = load_registered(tracking, None)
    predictor = Predictor(finished.project, registered)
    batches = Batches(lambda cells: values_of(points_of(cells), predictor))
    return Asked(make_api(Service(registered, card_of(tracking, registered), batches))), registered


@pytest.fixture(scope="module")
def places() -> list[dict]:
    rows, columns = [10, 30, 30, 200], [12, 40, 40, 12]
    longitude, latitude = coordinates_of_pixels(rows, columns, reference_grid())
    years = [2013, 2014, 2030, 2013]
    return [
        {"longitude": float(x), "latitude": float(y), "year": year}
        for x, y, year in zip(longitude, latitude, years, strict=True)
    ]


def test_predictions_are_those_of_soc_predict(real, places, finished, tmp_path):
    app, registered = real
    pd.DataFrame(places).to_csv(tmp_path / "points.csv", index=False)
    expected = predict_values(finished.project, read_points(tmp_path / "points.csv"), registered)
    answer = post(app, {"places": places})
    assert answer.status == 200
    assert answer.json["model"] == registered.uri and answer.json["unit"] == "g/kg"
    found = answer.json["predictions"]
    assert [row["predicted"] for row in found] == [None if pd.isna(v) else v for v in expected["predicted"]]
    for name in expected:
        assert [row[name] for row in found] == [None if pd.isna(v) else v for v in expected[name]], name
    assert found[0]["predicted"] > 0 and found[0]["lower"] < found[0]["upper"]
    assert found[2]["applicable"] == "no" and found[2]["reason"].startswith("images missing: 25 of 26")  # of 2030
    assert found[3]["reason"].startswith("outside the rasters")


def test_requests_at_once_get_their_own_answers(real, places):
    app, _ = real
    alone = [post(app, place).json["predictions"] for place in places]

    async def together() -> list[Answer]:
        bodies = [json.dumps(place).encode() for place in places * 8]
        asked = [app.answer("/predict", method="POST", body=body, headers=JSON) for body in bodies]
        return await asyncio.gather(*asked)

    assert [answer.json["predictions"] for answer in asyncio.run(together())] == alone * 8


def test_model_has_its_facts_and_card(real):
    app, registered = real
    found = app.ask("/model").json
    assert (found["model"], found["features"], found["embedding_spec"]) == (
        registered.uri,
        "embedding",
        registered.spec,
    )
    assert found["weights"].startswith("random") and found["card"].startswith("#")
    assert app.ask("/health").json == {"status": "ok", "model": registered.uri}


def test_faults_are_answers_beside_the_others():
    found = post(stand_in(), [PLACE, {"longitude": 1}, PLACE]).json["predictions"]
    assert len(found) == 3 and found[0]["predicted"] == 20.5 and found[0]["lower"] is None
    assert post(stand_in(), []).json["predictions"] == []


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "The body is not JSON"),
        (b"[" * 100_000, 400, "The body is not JSON"),
        (b"\xff", 400, "The body is not JSON"),
        (b"", 400, "The body is not JSON"),
        (b'"here"', 422, "must be a place, or a list of places"),
        (b" " * (MOST_BYTES + 1), 413, "larger than 4 MB"),
        (b"[" + b"0," * 10_000 + b"0]", 413, "10,001 places"),
    ],
)
def test_requests_that_cannot_be_answered_say_why(body, status, words):
    answer = post(stand_in(), body)
    assert answer.status == status and words in answer.json["error"]
    assert answer.headers["cache-control"] == "no-store"


def test_forms_of_other_pages_are_refused():
    answer = post(stand_in(), PLACE, headers={"content-type": "text/plain"})
    assert answer.status == 415 and "content-type: application/json" in answer.json["error"]
    assert stand_in().ask("/predict").status == 405


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""])
def test_other_names_are_refused_on_this_machine_and_taken_where_it_listens_to_all(host):
    assert stand_in().ask("/health", host=host).status == 421
    assert stand_in(local=False, token="t" * 16).ask("/health", host=host).status == 401


def test_token_is_asked_for_at_every_address():
    app = stand_in(local=False, token="the right token!")
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic the right token!"}):
        for path in ("/predict", "/model", "/health", "/docs", "/openapi.json"):
            answer = app.ask(path, headers=headers)
            assert answer.status == 401 and "authorization: Bearer TOKEN" in answer.json["error"], path
    right = {"authorization": "bearer the right token!"}
    assert app.ask("/health", headers=right).status == 200
    assert post(app, PLACE, headers={**JSON, **right}).status == 200


def test_errors_are_answers_without_a_traceback(caplog):
    def gone(points: pd.DataFrame) -> pd.DataFrame:
        raise RasterError("LAI_2015.tif is gone. Put it back.")

    def broken(points: pd.DataFrame) -> pd.DataFrame:
        raise ZeroDivisionError("secret")

    answer = post(stand_in(gone), PLACE)
    assert (answer.status, answer.json["error"]) == (500, "LAI_2015.tif is gone. Put it back.")
    with caplog.at_level(logging.ERROR):
        answer = post(stand_in(broken), PLACE)
    assert answer.status == 500 and "secret" not in answer.body.decode() and "Traceback" not in answer.body.decode()
    assert "ZeroDivisionError" in caplog.text


def test_description_and_its_page():
    app = stand_in()
    described = app.ask("/openapi.json").json
    assert set(described["paths"]) == {"/predict", "/health", "/model", "/docs"}
    assert {"200", "400", "401", "413", "415", "422", "503"} == set(described["paths"]["/predict"]["post"]["responses"])
    page = app.ask("/docs")
    text = page.body.decode()
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in text and "https://" not in text
    for word in ("POST /predict", "dissimilarity", "curl", "http://127.0.0.1:3001/predict", "needed by seasonal bands"):
        assert word in text
    example = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert post(app, example).json["predictions"][0]["predicted"] == 20.5
