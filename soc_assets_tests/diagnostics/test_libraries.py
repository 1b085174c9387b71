"""Libraries that are broken are found, each with its name, by trying them in processes of their own."""

import os
import time

import pytest

from soc_assets.diagnostics import libraries

STUBS = {
    "torch": "raise ImportError('libcudart.so.12: cannot open shared object file: No such file or directory')",
    "rasterio": "import os; os.abort()",
    "duckdb": "raise SystemExit",
}


def only(monkeypatch, *names: str) -> None:
    """Try these libraries alone: loading torch takes longer than all others."""
    monkeypatch.setattr(libraries, "_SCRIPTS", {name: libraries._SCRIPTS[name] for name in names})


def judged(environment):
    return {attempt.name: libraries.judge(attempt) for attempt in libraries.begin(environment)}


def test_whole_libraries_are_ok():
    found = judged(os.environ)
    assert {name: verdict.state for name, verdict in found.items()} == dict.fromkeys(found, "ok")
    assert set(found) == {"torch", "GDAL", "PROJ", "DuckDB"}
    assert "CPU threads" in found["torch"].found and "gdal" in found["GDAL"].found


def test_broken_libraries_are_found_and_the_others_are_ok(tmp_path):
    for name, code in STUBS.items():
        (tmp_path / f"{name}.py").write_text(code)
    found = judged({**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])})
    assert {name for name, verdict in found.items() if verdict.state == "error"} == {"torch", "GDAL", "DuckDB"}
    assert found["torch"].found.endswith(STUBS["torch"].partition("'")[2].rstrip("')"))
    assert "--index-url https://download.pytorch.org/whl/cpu" in found["torch"].cure
    assert found["GDAL"].cure.endswith("pip install --force-reinstall rasterio")
    assert found["DuckDB"].cure.endswith("pip install --force-reinstall duckdb")


def test_missing_data_files_of_gdal_are_found(tmp_path, monkeypatch):
    only(monkeypatch, "GDAL")
    (tmp_path / "sitecustomize.py").write_text(
        "import rasterio.env, rasterio\nrasterio.env.GDALDataFinder.search = lambda self, prefix=None: None\n"
    )
    found = judged({**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])})
    assert found["GDAL"].state == "error" and "has not found its data files" in found["GDAL"].found


@pytest.mark.parametrize(
    ("cuda", "gpus", "there", "state", "words"),
    [
        (None, [], 0, "ok", "built without CUDA, no GPU"),
        ("12.6", [], 0, "ok", "CUDA 12.6, no GPU"),
        ("12.6", ["NVIDIA H200"], 1, "ok", "CUDA 12.6, NVIDIA H200"),
        (None, [], 2, "warning", "the driver has 2, and torch is built without CUDA"),
        ("12.6", [], 1, "warning", "its driver may be older than this CUDA"),
    ],
)
def test_a_gpu_that_torch_cannot_use_is_told(cuda, gpus, there, state, words):
    found = {"version": "2.13.0", "cuda": cuda, "gpus": gpus, "threads": 8}
    verdict = libraries.judge_torch(found, there)
    assert verdict.state == state and words in verdict.found
    assert bool(verdict.cure) == (state == "warning")


def test_a_place_that_comes_out_elsewhere_is_an_error(tmp_path):
    found = {"version": "3.10", "data": str(tmp_path), "metres": [48.0, 11.0]}
    assert libraries.judge_geography("GDAL", found).state == "error"
    assert libraries.judge_geography("GDAL", {**found, "metres": [649187.9, 5318235.6]}).state == "ok"


def test_gpus_are_counted_by_the_driver_unless_they_are_hidden(tmp_path, monkeypatch):
    monkeypatch.setattr(libraries, "_DRIVER", tmp_path / "gpus")
    monkeypatch.setattr(libraries, "_WSL", tmp_path / "libcuda.so.1")
    assert libraries.gpus_of_the_driver({"CUDA_VISIBLE_DEVICES": "0"}) == 0  # as a machine without one may say
    (tmp_path / "libcuda.so.1").touch()
    assert libraries.gpus_of_the_driver({}) == 1
    for number in range(2):
        (tmp_path / f"gpus/{number}").mkdir(parents=True)
    assert libraries.gpus_of_the_driver({}) == 2
    assert libraries.gpus_of_the_driver({"CUDA_VISIBLE_DEVICES": ""}) == 0


def test_files_of_the_current_folder_are_not_taken_for_libraries(tmp_path, monkeypatch):
    only(monkeypatch, "DuckDB", "PROJ")
    for name in ("duckdb", "json"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not the library')")
    monkeypatch.chdir(tmp_path)
    assert {verdict.state for verdict in judged(os.environ).values()} == {"ok"}


def test_a_library_that_does_not_end_is_given_up_with_the_others(tmp_path, monkeypatch):
    (tmp_path / "duckdb.py").write_text("import time; time.sleep(60)")
    monkeypatch.setattr(libraries, "_SECONDS", 1)
    monkeypatch.setattr(libraries, "_SCRIPTS", {"DuckDB": "import duckdb", "PROJ": "import duckdb"})
    start = time.monotonic()
    found = judged({**os.environ, "PYTHONPATH": str(tmp_path)})
    assert [verdict.state for verdict in found.values()] == ["warning", "warning"]
    assert time.monotonic() - start < 10
