"""A project whose runs and models are on an MLflow server: the same as in a folder, and nothing is left in one."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from soc_assets.cli import runner
from soc_assets.errors import StorageError
from soc_assets.regression.inputs import model_inputs
from soc_assets.tracking.registered import load_registered
from soc_assets.tracking.store import tracking_of
from soc_assets_tests.ports import free_port
from soc_assets_tests.small_project import SmallProject, write_project

pytestmark = pytest.mark.slow


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """`mlflow server` on a free port, with its database and the artifacts that it serves in `folder`."""
    folder.mkdir()
    port = free_port()
    stores = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")]
    command = [sys.executable, "-m", "mlflow", "server", *stores, "--workers", "1", "--host", "127.0.0.1"]
    log = (folder / "log").open("w")
    process = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + 120
        while not answers(f"http://127.0.0.1:{port}"):
            assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(server: str) -> bool:
    try:
        return urllib.request.urlopen(f"{server}/health", timeout=5).status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def tracked(tmp_path_factory) -> Iterator[tuple[SmallProject, str]]:
    """After `soc run`; the server is still there."""
    with serving(tmp_path_factory.mktemp("server") / "mlflow") as server:
        made = write_project(tmp_path_factory.mktemp("tracked") / "project")
        made.config.write_text(made.config.read_text() + f'\n[tracking]\nserver = "{server}"\n')
        assert made.run().failures == []
        yield made, server


def test_run_model_and_files_are_on_the_server_and_found_again(tracked):
    made, _ = tracked
    tracking = tracking_of(made.project)
    record = tracking.find_run(model_inputs(made.project))
    assert record is not None and record.artifacts.folder is None
    assert record.figures["loss_curve"].startswith(b"\x89PNG")
    record.artifacts.write("tables/note.csv", "a,b\n")
    assert record.artifacts.read("tables/note.csv") == b"a,b\n"
    assert record.artifacts.read("tables/nothing.csv") is None
    assert record.artifacts.read("model_card.md") is not None
    assert not made.project.mlruns.exists()
    assert made.query("SELECT count(*) n FROM predictions")["n"].item() == 60
    assert made.query("SELECT status FROM runs")["status"].tolist() == ["FINISHED"]


def test_nothing_of_mlflows_own_is_printed(tracked, capfd):
    made, _ = tracked
    record = tracking_of(made.project).find_run(model_inputs(made.project))
    assert record and record.artifacts.read("model_card.md")
    assert capfd.readouterr() == ("", "")


def test_second_run_computes_nothing_and_the_model_predicts(tracked):
    made, _ = tracked
    assert made.run().launched == []
    assert {item.asset: item.state for item in runner.assess(made.project)}["mlp_model"] == "fresh"
    rows = made.query("SELECT features, predicted FROM features JOIN predictions USING (sample_id) LIMIT 5")
    registered = load_registered(tracking_of(made.project), None)
    found = registered.model.predict(np.stack(rows["features"]).astype(np.float32))
    np.testing.assert_allclose(found[:, 0], rows["predicted"], rtol=1e-3, atol=1e-3)


def test_server_that_does_not_answer_is_named_at_once(tracked):
    made, server = tracked
    nobody = "http://127.0.0.1:9"
    made.set(server, nobody)
    try:
        with pytest.raises(StorageError, match=f"{nobody} does not answer .* `server` in \\[tracking\\]"):
            made.run()
    finally:
        made.set(nobody, server)
