"""The wheel works outside the repository: every step of a newcomer, in an environment with nothing else in it."""

import csv
import re
import shutil
import subprocess
import time
import urllib.request

import pytest

from soc_assets.cli.main import COMMANDS
from soc_assets_tests.installed import Installed, build_wheel, install
from soc_assets_tests.ports import free_port

pytestmark = pytest.mark.slow

QUICK = {"SOC_TRAINING__EPOCHS": "1", "SOC_TRAINING__HIDDEN": "[8]"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install(build_wheel(tmp_path_factory.mktemp("wheel")), tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def study(installed):
    """A project with the demo region, after `soc run`."""
    said = installed.run("soc", "init", "study", "--demo")
    assert said.returncode == 0, said.stderr
    ran = installed.run("soc", "run", at=installed.folder / "study", **QUICK)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"weights +│ random \(seed 42\)", ran.stdout), ran.stdout
    assert ran.stderr == ""
    return installed.folder / "study"


def test_nothing_of_the_repository_is_there(installed):
    find = "importlib.util.find_spec"
    code = f"import importlib.util, soc_assets as s; print(s.__file__, {find}('soc_assets_tests'), {find}('ray'))"
    where, tests, ray = installed.run("python", "-c", code).stdout.split()
    assert where.startswith(str(installed.environment)) and (tests, ray) == ("None", "None")


@pytest.mark.parametrize("script", ["soc", "soc-assets"])
def test_every_command_explains_itself(script, installed):
    said = installed.run(script, "--help")
    assert said.returncode == 0, said.stderr
    assert all(f"\n  {name} " in said.stdout for name in COMMANDS)


def test_newcomer_gets_from_an_empty_folder_to_a_prediction(installed, study):
    answer = installed.run("soc", "sql", "SELECT count(*) FROM features", at=study)
    assert re.search(r"\b1925\b", answer.stdout), answer
    (study / "points.csv").write_text("longitude,latitude,year\n11.43,48.22,2018\n")
    said = installed.run("soc", "predict", "points.csv", at=study)
    assert said.returncode == 0, said.stderr
    [predicted] = csv.DictReader((study / "points_predicted.csv").open())
    assert 0 < float(predicted["predicted"]) < 200
    again = installed.run("soc", "run", at=study, **QUICK)
    assert "Everything is fresh: nothing was computed." in again.stdout, again.stdout
    assert (study / ".dagster/dagster.yaml").read_text() != ""


def test_dagster_finds_the_definitions(installed, study):
    said = installed.run("python", "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml", at=study)
    assert said.returncode == 0, said.stderr


def test_ui_answers(installed, study):
    port = free_port()
    command = [str(installed.environment / "bin/soc"), "ui", "--port", str(port)]
    started = subprocess.Popen(
        command, cwd=study, env=installed.variables(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        assert "Dagster" in _page(f"http://127.0.0.1:{port}", started)
    finally:
        started.terminate()
        started.communicate(timeout=30)


def _page(address: str, server: subprocess.Popen[bytes]) -> str:
    for _ in range(600):
        assert server.poll() is None, server.communicate()[1]
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(address)


def test_doctor_finds_nothing_wrong_and_then_the_data_that_proj_has_lost(installed, tmp_path):
    assert installed.run("soc", "doctor").returncode == 0
    broken = Installed(tmp_path / "environment", installed.folder)
    shutil.copytree(installed.environment, broken.environment, symlinks=True)
    shutil.rmtree(broken.packages / "rasterio/proj_data")
    said = subprocess.run(
        [str(broken.python), "-m", "soc_assets", "doctor"],
        cwd=broken.folder,
        env=broken.variables(),
        capture_output=True,
        text=True,
    )
    assert said.returncode == 1, said.stdout
    [line] = [line for line in said.stdout.splitlines() if line.startswith("error")]
    assert "GDAL" in line
