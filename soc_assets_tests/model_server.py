"""MLflow's own server of a registered model, and what it answers over HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from soc_assets.tracking.store import tracking_of
from soc_assets_tests.ports import free_port

HOSTILE = {"infinity": "Infinity", "a number": "1e300", "no image": "null", "a word": '"abc"'}


@contextmanager
def serving(project, uri: str):
    """`mlflow models serve` on a free port."""
    port = free_port()
    options = ["--env-manager", "local", "-h", "127.0.0.1", "-p", str(port), "-w", "1"]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri, *options]
    tracking = {"MLFLOW_TRACKING_URI": tracking_of(project).uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.Popen(
        command, env={**os.environ, **tracking, "PATH": path}, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        wait_for(port, process)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate()


def wait_for(port: int, process: subprocess.Popen) -> None:
    for _ in range(600):
        assert process.poll() is None, (process.stderr.read() if process.stderr else b"").decode()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not start")


def ask(port: int, x: np.ndarray) -> np.ndarray:
    body = json.dumps({"inputs": x.tolist()}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return np.array(json.load(answer)["predictions"])


def refused(port: int, x: np.ndarray, number: str) -> tuple[int, str]:
    """The server's answer to an honest row and one that holds nothing but `number`."""
    rows = [json.dumps(x[0].tolist()), f"[{', '.join([number] * x.shape[1])}]"]
    body = f'{{"inputs": [{", ".join(rows)}]}}'.encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=60)
    return raised.value.code, raised.value.read().decode()
