"""The `soc` command as a user meets it: help, exit codes, settings that cannot be read, and `soc demo`."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from soc_assets.cli import inputs, servers
from soc_assets.cli.main import main
from soc_assets.demo.soil import SURVEYS
from soc_assets_tests.command_line import refused, soc
from soc_assets_tests.small_project import SmallProject

COMMANDS = (
    "demo",
    "import-tiles",
    "check",
    "run",
    "status",
    "sql",
    "export",
    "import-run",
    "clean",
    "refit",
    "ui",
    "mlflow",
)


def test_help_leads_a_newcomer_through_every_command():
    result = soc("--help")
    assert result.exit_code == 0, result.output
    for command in COMMANDS:
        assert command in result.stdout
    assert "Exit codes: 0 done, 1 failed" in " ".join(result.stdout.split())
    assert "SOC_EMBEDDING__STAGE=encoder" in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_says_what_it_does(command):
    result = soc(command, "--help")
    assert result.exit_code == 0, result.output
    body = " ".join(result.stdout.partition("Options:")[0].split())
    assert len(body) > 80
    assert "--config FILE" in result.stdout


@pytest.mark.parametrize(
    "arguments", [["runn"], ["run", "--to", "maps"], ["run", "--fast"], ["sql", "--rows", "many"], ["demo", "here"]]
)
def test_wrong_usage_exits_with_2(arguments):
    result = soc(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_console_script_exits_with_the_same_codes(tmp_path):
    script = Path(sys.executable).with_name("soc")
    done = subprocess.run([script, "sql", "SELECT 1"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "soc.duckdb does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_surveys_of_the_demo_are_those_that_there_are():
    assert tuple(inputs.SURVEYS) == tuple(SURVEYS)


def test_demo_is_written_once_and_never_over_a_file(tmp_path):
    made = SmallProject(tmp_path)
    made.config.write_text("")
    first = soc("demo", "--seed", "7", at=made)
    assert first.exit_code == 0
    assert "synthetic" in first.stdout
    assert (tmp_path / "data/rasters/static/Elevation.tif").is_file()
    before = made.stamps()
    message = refused("demo", at=made)
    assert str(tmp_path / "data/rasters") in message
    assert soc("demo", "--if-empty", at=made).exit_code == 0
    assert made.stamps() == before


@pytest.mark.parametrize("name", ["rasters", "soil"])
def test_demo_on_a_file_in_place_of_a_folder_says_so(tmp_path, name):
    made = SmallProject(tmp_path)
    made.config.write_text("")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_text("mine")
    assert f"{tmp_path / 'data' / name} is a file where the demo needs a folder" in refused("demo", at=made)
    assert (tmp_path / "data" / name).read_text() == "mine"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device is of Linux")
@pytest.mark.parametrize(("arguments", "unbuffered"), [(["doctor"], "1"), (["init", "study"], "")])
def test_full_disk_beneath_standard_output_is_told_without_a_traceback(tmp_path, arguments, unbuffered):
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "soc_assets", *arguments]
        ended = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: Standard output cannot be written: No space left on device.")
    assert "Traceback" not in ended.stderr


def test_demo_if_empty_writes_beside_a_users_soil_table_nothing(tmp_path):
    made = SmallProject(tmp_path)
    made.config.write_text("")
    (tmp_path / "data/soil").mkdir(parents=True)
    (tmp_path / "data/soil/mine.csv").write_text("a,b\n")
    (tmp_path / "data/rasters").mkdir()
    (tmp_path / "data/rasters/.gitkeep").touch()
    before = made.stamps()
    assert soc("demo", "--if-empty", at=made).exit_code == 0
    assert str(tmp_path / "data/soil") in refused("demo", at=made)
    assert made.stamps() == before


def test_settings_that_cannot_be_read_are_told_without_a_traceback(tmp_path):
    made = SmallProject(tmp_path)
    assert f"{made.config} does not exist" in refused("run", at=made)
    made.config.write_text("[samplign]\n")
    for command in COMMANDS:
        arguments = [command, tmp_path] if command.startswith("import-") else [command]
        assert "there is no table [samplign]; the nearest is sampling" in refused(*arguments, at=made)


@pytest.mark.parametrize("words", [[], ["sql"], ["export"]])
def test_help_shows_no_sign_of_its_making(words):
    shown = CliRunner().invoke(main, [*words, "--help"])
    assert shown.exit_code == 0
    assert "\\b" not in shown.output and "\b" not in shown.output
    assert "  soc sql " in shown.output or words == ["export"]


@pytest.mark.parametrize("words", ["ui", "mlflow"])
def test_port_in_use_is_told_before_anything_is_started(fresh, words, monkeypatch):
    monkeypatch.setattr(servers, "_become", lambda command: pytest.fail("started"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        shown = CliRunner().invoke(main, [words, "--port", port, "--config", str(fresh.config)])
    assert shown.exit_code == 1
    assert f"Port {port} of this machine is in use. Choose another: --port " in shown.output
    assert not (fresh.root / "mlruns").exists()
