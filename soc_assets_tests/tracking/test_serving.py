"""What is registered, as strangers ask it: through pyfunc and MLflow's scoring server, with pickle blocked."""

import json
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.pyfunc import scoring_server
from starlette.testclient import TestClient

from soc_assets.mapping.predictions import _answers
from soc_assets.regression.design.data import load_features
from soc_assets.regression.design.gaps import Gaps
from soc_assets.regression.evaluation.fit_scores import evaluate_fit
from soc_assets.regression.evaluation.plan import merged
from soc_assets.regression.final import fit_final, serve_documented
from soc_assets.regression.models.documented import area_of_network
from soc_assets.regression.models.fitted import Options
from soc_assets.regression.models.training import fit_mlp
from soc_assets.settings import Training
from soc_assets.settings.evaluation import Recipe
from soc_assets.tracking.run import RunRecord
from soc_assets.tracking.store import MlflowTracking
from soc_assets_tests.regression.designs import make
from soc_assets_tests.regression.tables import make_table, write_database

_watching: list[str] = []
_unpickled: list[str] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event == "pickle.find_class":
        _unpickled.append(".".join(map(str, arguments)))


@contextmanager
def pickle_blocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever looks up a class by a pickle, in C or in Python, is heard; pickle's own functions raise."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("something was unpickled")

    _watching.append("yes")
    try:
        with monkeypatch.context() as patched:
            for name in ("load", "loads", "Unpickler", "_Unpickler"):
                patched.setattr(pickle, name, refuse)
            yield
    finally:
        _watching.clear()


KINDS = {
    "mlp": Recipe(name="m", hidden=(8, 4), epochs=3, members=2, batch_size=32),
    "ridge": Recipe(name="r", model="ridge", target="box-cox"),
    "random_forest": Recipe(name="f", model="random_forest", trees=8, intervals=False),
    "extra_trees": Recipe(name="e", model="extra_trees", trees=8, back="plain"),
    "gradient_boosting": Recipe(name="b", model="gradient_boosting", trees=8, target="none"),
}


@dataclass
class Made:
    """A registered model, rows that it was fitted on, and what the fitted learner says of them [n, 4]."""

    record: RunRecord
    rows: np.ndarray
    expected: np.ndarray


def documented(tracking: MlflowTracking, folder: Path) -> Made:
    table = load_features(write_database(folder / "soc.duckdb", make_table(80)))
    with tracking.run("mlp_model", "d", {}, {}) as run:
        fit = fit_mlp(table, Training(hidden=(8, 4), epochs=3, learning_rate=1e-2, device="cpu"))
        image = np.repeat(np.arange(3), table.n_features // 3)
        gaps = Gaps(image, np.array([4, 4, 4, np.inf], np.float32), np.ones(table.n_features, bool))
        evaluation = evaluate_fit(fit, table)
        served, _ = serve_documented(fit, table, evaluation, gaps, 0)
        record = run.log_fit(fit, served, evaluation, {}, table.matrix[:2])
    rows = table.rows("train")
    area = area_of_network(fit.network, table.matrix, rows, np.arange(len(rows)) % 3, 0)
    columns = [*(evaluation.predictions[name] for name in ("predicted", "lower", "upper")), area.index(table.matrix)]
    return Made(record, table.matrix, np.stack(columns, axis=1))


def recipe(tracking: MlflowTracking, kind: str) -> Made:
    design = make(120)
    with tracking.run("mlp_model", kind, {}, {}) as run:
        fit = fit_final((KINDS[kind],), design, np.arange(120) // 2 % 4, lambda fold: merged(fold, 3), Options())
        record = run.log_fit(fit, fit.served, fit.evaluation, {}, fit.example)
    model, rows = fit.model, np.arange(120)
    found = model.predict(model.reduce(design, rows))
    columns = [found.mean, found.lower, found.upper, np.zeros(len(rows))]
    return Made(record, design.matrices["point"].astype(np.float32), np.stack(columns, axis=1))


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> MlflowTracking:
    return MlflowTracking(folder=str(tmp_path_factory.mktemp("served") / "mlruns"))


@pytest.fixture(scope="module", params=["documented", *KINDS])
def served(request, store, tmp_path_factory) -> Iterator[SimpleNamespace]:
    """A registered model of each kind, loaded with pickle blocked, and honest rows."""
    sys.addaudithook(_hear)
    tracking = store.model_copy(update={"registered_model": request.param})
    folder = tmp_path_factory.mktemp("table")
    made = documented(tracking, folder) if request.param == "documented" else recipe(tracking, request.param)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MLFLOW_TRACKING_URI", tracking.uri)
        patched.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        with pickle_blocked(patched):
            model = mlflow.pyfunc.load_model(made.record.model_uri)
            found = model.predict(made.rows)
        assert _unpickled == []
        client = TestClient(scoring_server.init(model), raise_server_exceptions=False)
        yield SimpleNamespace(model=model, rows=made.rows, found=found, client=client, expected=made.expected)


def ask(served: SimpleNamespace, *rows: Sequence[str]) -> tuple[int, str]:
    """Status and text of the server's answer; the numbers are given as they are written in JSON."""
    body = '{"inputs": [' + ", ".join(f"[{', '.join(row)}]" for row in rows) + "]}"
    answer = served.client.post("/invocations", content=body, headers={"Content-Type": "application/json"})
    return answer.status_code, answer.text


def honest(served: SimpleNamespace) -> list[str]:
    return [repr(float(value)) for value in served.rows[0]]


def test_every_kind_is_loaded_without_pickle_and_says_what_the_fitted_learner_says(served):
    np.testing.assert_allclose(served.found[:, :3], served.expected[:, :3], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(served.found[:, 3], served.expected[:, 3], atol=1e-3)
    assert set(np.unique(served.found[:, 4])) <= {0.0, 1.0} and served.found[:, 4].any()
    far = served.model.predict(100 * served.rows)
    assert not far[:, 4].any() and (far[:, 3] > 1).all()


def test_archive_answers_honest_rows(served):
    status, text = ask(served, honest(served), honest(served))
    assert status == 200
    found = np.array(json.loads(text, parse_constant=pytest.fail)["predictions"])
    np.testing.assert_allclose(found[0], served.model.predict(served.rows[:1])[0], rtol=1e-4, atol=1e-6)
    assert found.shape == (2, 5)


def test_rows_far_outside_are_answered_between_zero_and_the_most(served):
    with np.errstate(all="ignore"):
        rows = np.concatenate([served.rows * factor for factor in (-1e4, -10, 10, 1e4)]).astype(np.float32)
    found = served.model.predict(rows)[:, :3]
    assert np.isfinite(found).all() and found.min() >= 0
    assert (found[:, 1] <= found[:, 0]).all()
    assert (found[:, 0] <= found[:, 2] + 0.01).all()  # the mean of what is nearly 0 may lie above its upper bound


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("number", ["1e300", "Infinity", "-Infinity", "1e999", '"inf"', "-3.4028234e38", "1e20"])
def test_number_that_nobody_measured_is_refused(served, number):
    status, text = ask(served, honest(served), [number, *honest(served)[1:]])
    assert (status, "Refused: a row of the inputs holds infinity, or a number a million times" in text) == (400, True)
    with pytest.raises(RuntimeError, match="Refused: a row of the inputs holds infinity"):
        served.model.predict(np.array([[float(number.strip('"'))] * served.rows.shape[1]]).astype(np.float32))


@pytest.mark.parametrize("nothing", ["null", "NaN", "0"])
def test_row_without_any_image_is_refused(served, nothing):
    status, text = ask(served, honest(served), [nothing] * served.rows.shape[1])
    assert (status, "Refused: a row of the inputs holds no image at all" in text) == (400, True)


def test_row_that_lacks_some_is_answered(served):
    assert ask(served, ["null", *honest(served)[1:]])[0] == 200


def test_one_row_that_is_refused_costs_soc_predict_that_row_alone(served):
    rows = served.rows[:7].copy()
    rows[3, 0], rows[6, 1] = 1e30, -1e30
    found = _answers(served.model, rows)
    np.testing.assert_allclose(
        found[[0, 1, 2, 4, 5]], served.model.predict(rows[[0, 1, 2, 4, 5]]), rtol=1e-5, atol=1e-6
    )
    assert np.isnan(found[[3, 6]]).all()
