"""`soc doctor` looks at everything, says which settings it read, and fails where something is wrong."""

import subprocess
import sys

import pytest

from soc_assets.cli import doctor
from soc_assets.diagnostics import examination
from soc_assets_tests.command_line import soc


def rows(output: str) -> dict[str, str]:
    found = [line.split(None, 1) for line in output.splitlines() if line.startswith(("ok", "warning", "error"))]
    return {rest: state for state, rest in found}


@pytest.fixture
def quick(monkeypatch):
    """Without the libraries, which have tests of their own."""
    monkeypatch.setattr(examination.libraries, "begin", list)


def state_of(output: str, subject: str) -> str:
    return next(state for rest, state in rows(output).items() if rest.startswith(subject))


def test_a_project_that_is_right(fresh, quick, monkeypatch):
    monkeypatch.setattr(examination.machine, "look_at_ports", list)
    result = soc("doctor", at=fresh)
    assert result.exit_code == 0, result.output
    assert state_of(result.output, "soc.toml") == state_of(result.output, "data") == "ok"
    assert "0 errors" in result.output


def test_settings_that_are_wrong_are_an_error_with_the_cure(fresh, quick):
    fresh.set("epochs", "epoch")
    result = soc("doctor", at=fresh)
    assert result.exit_code == 1
    assert state_of(result.output, "soc.toml") == "error" and "epochs" in result.output


def test_overrides_are_named_but_not_their_values(fresh, quick, monkeypatch):
    monkeypatch.setenv("SOC_TRAINING__EPOCHS", "17")
    said = soc("doctor", at=fresh).output
    assert "SOC_TRAINING__EPOCHS" in said and "17\n" not in said


def test_what_cannot_be_looked_at_is_told_and_the_rest_is_looked_at(fresh, quick, monkeypatch):
    def broken() -> None:
        raise ValueError("odd")

    monkeypatch.setattr(examination.machine, "look_at_ports", broken)
    result = soc("doctor", at=fresh)
    assert result.exit_code == 1
    assert "ValueError: odd" in result.output and state_of(result.output, "data") == "ok"


def test_settings_of_another_name_are_named(fresh, quick):
    other = fresh.config.rename(fresh.root / "other.toml")
    said = soc("doctor", "--config", other).output
    assert state_of(said, "soc.toml") == "ok" and "other.toml" in said and "none from here" not in said


@pytest.mark.parametrize(
    ("home", "text", "shown"),
    [
        ("/home/ann", "/home/ann/data and /home/anna/data", "~/data and /home/anna/data"),
        ("/", "/tmp/data: https://pypi.org", "/tmp/data: https://pypi.org"),
        ("/home/ann", "in /home/ann", "in ~"),
    ],
)
def test_home_folder_is_shortened_and_nothing_else(home, text, shown, monkeypatch):
    monkeypatch.setenv("HOME", home)
    assert doctor._without_home(text) == shown


def test_doctor_runs_where_a_library_cannot_be_loaded_and_other_commands_name_it(tmp_path, monkeypatch):
    for name in ("rasterio", "pandas"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('libexpat.so.1: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "soc_assets"]
    doctor_said = subprocess.run([*command, "doctor"], capture_output=True, text=True, timeout=60)
    assert doctor_said.returncode == 1 and "Traceback" not in doctor_said.stderr
    assert state_of(doctor_said.stdout, "GDAL") == state_of(doctor_said.stdout, "soc.toml") == "error"
    assert state_of(doctor_said.stdout, "DuckDB") == "ok"
    other = subprocess.run([*command, "status"], capture_output=True, text=True, timeout=60)
    assert other.returncode == 1 and "Traceback" not in other.stderr
    assert "libexpat.so.1" in other.stderr and "`soc doctor`" in other.stderr
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0 and "see `soc doctor`" in shown.stdout and "  predict" in shown.stdout


def test_its_module_loads_no_library():
    code = (
        "import sys, soc_assets.cli.doctor; print(sorted({'torch', 'rasterio', 'pandas', 'duckdb'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
    assert doctor.doctor.name == "doctor"
