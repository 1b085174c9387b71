"""`soc serve`: who may listen to what, and a server that answers many at once and ends at Ctrl+C."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from soc_assets.settings.loading import TOKEN_VARIABLE
from soc_assets_tests.command_line import refused
from soc_assets_tests.ports import free_port
from soc_assets_tests.small_world import coordinates_of_pixels, reference_grid


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_addresses_need_a_token(host, fresh):
    said = refused("serve", "--host", host, at=fresh)
    assert "--token-file" in said and TOKEN_VARIABLE in said and "openssl rand" in said


def test_short_and_unreadable_tokens_are_refused(fresh, tmp_path, monkeypatch):
    (tmp_path / "token").write_text("short\n")
    assert "has 5 characters; at least 16" in refused("serve", "--token-file", tmp_path / "token", at=fresh)
    assert "cannot be read" in refused("serve", "--token-file", tmp_path / "none", at=fresh)
    monkeypatch.setenv(TOKEN_VARIABLE, "")
    assert f"The token of {TOKEN_VARIABLE} has 0 characters" in refused("serve", at=fresh)


def test_without_a_model_the_way_to_one_is_said(fresh):
    assert "run `soc run` first" in refused("serve", at=fresh)


def test_address_of_another_machine_is_refused(finished, tmp_path, monkeypatch):
    monkeypatch.setenv(TOKEN_VARIABLE, "t" * 16)
    said = refused("serve", "--host", "192.0.2.1", "--port", str(free_port()), at=finished)
    assert "--host 192.0.2.1 is not an address of this machine" in said


@pytest.mark.slow
def test_many_at_once_are_answered_and_ctrl_c_ends_it(finished):
    port = free_port()
    (longitude,), (latitude,) = coordinates_of_pixels([20], [30], reference_grid())
    body = json.dumps({"longitude": longitude, "latitude": latitude, "year": 2013}).encode()

    def ask(_: int) -> float:
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["predictions"][0]["predicted"]

    command = [sys.executable, "-m", "soc_assets", "serve", "--port", str(port), "--config", str(finished.config)]
    server = subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "answers at http://127.0.0.1" in server.stdout.readline()
        with ThreadPoolExecutor(20) as clients:
            assert len(set(clients.map(ask, range(100)))) == 1
        server.send_signal(signal.SIGINT)
        start = time.monotonic()
        _, complaint = server.communicate(timeout=30)
        assert time.monotonic() - start < 5
        assert server.returncode == 130 and complaint.strip() == ""
    finally:
        server.kill()
