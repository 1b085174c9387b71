"""Libraries with compiled parts, each tried in a process of its own: one that is broken may end the process.

`begin` starts them all at once, since loading torch takes longer than everything else that is looked at.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soc_assets.diagnostics.packages import install_command
from soc_assets.diagnostics.verdict import Verdict

_SECONDS = 30  # for all of them together
_DRIVER, _WSL = Path("/proc/driver/nvidia/gpus"), Path("/usr/lib/wsl/lib/libcuda.so.1")
_SCRIPTS = {
    "torch": """
import torch
gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
assert float(torch.ones(2, 2).matmul(torch.ones(2, 2)).sum()) == 8
found = {"version": torch.__version__, "cuda": torch.version.cuda, "gpus": gpus, "threads": torch.get_num_threads()}
""",
    "GDAL": """
import soc_assets, rasterio, rasterio.env, rasterio.warp
found = {"version": rasterio.__gdal_version__, "data": rasterio.env.GDALDataFinder().search()}
(x,), (y,) = rasterio.warp.transform("EPSG:4326", "EPSG:25832", [11.0], [48.0])
found["metres"] = [x, y]
""",
    "PROJ": """
import soc_assets, pyproj
found = {"version": pyproj.proj_version_str, "data": pyproj.datadir.get_data_dir()}
found["metres"] = pyproj.Transformer.from_crs(4326, 25832, always_xy=True).transform(11.0, 48.0)
""",
    "DuckDB": """
import duckdb
assert duckdb.sql("SELECT sum(i) FROM range(1000) t(i)").fetchall() == [(499500,)]
found = {"version": duckdb.__version__}
""",
}
_PACKAGES = {"GDAL": "rasterio", "PROJ": "pyproj", "DuckDB": "duckdb"}
_PLACE = (649187.875, 5318235.614)  # of 11 E 48 N in UTM zone 32, m


@dataclass(frozen=True)
class Attempt:
    """A library that is being loaded."""

    name: str
    process: subprocess.Popen[str]
    until: float
    """When it is given up, of `time.monotonic`."""


def begin(environment: Mapping[str, str] = os.environ) -> list[Attempt]:
    """Start loading every library."""
    until = time.monotonic() + _SECONDS
    return [Attempt(name, _started(script, environment), until) for name, script in _SCRIPTS.items()]


def _started(script: str, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    # -P: a torch.py in the current folder is not the library
    command = [sys.executable, "-P", "-W", "ignore", "-c", f"{script}\nimport json; print(json.dumps(found))"]
    return subprocess.Popen(
        command,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def judge(attempt: Attempt) -> Verdict:
    """What a library said of itself, or why it could not."""
    try:
        said, complaint = attempt.process.communicate(timeout=max(attempt.until - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        attempt.process.kill()
        slow = "Try again: the first time, and from a network disk, loading takes long."
        return Verdict(attempt.name, f"not loaded after {_SECONDS} seconds", "warning", slow)
    if attempt.process.returncode or not said.strip():
        last = complaint.strip().splitlines()[-1:] or [
            f"ended with code {attempt.process.returncode}, and said nothing"
        ]
        return _broken(attempt.name, last[0])
    found = json.loads(said.strip().splitlines()[-1])
    if attempt.name == "torch":
        return judge_torch(found, gpus_of_the_driver())
    if attempt.name in ("GDAL", "PROJ"):
        return judge_geography(attempt.name, found)
    return Verdict(attempt.name, found["version"])


def gpus_of_the_driver(environment: Mapping[str, str] = os.environ) -> int:
    """How many NVIDIA GPUs the driver knows, 0 where they are hidden from this process; under WSL at least one."""
    if environment.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return 0
    return len(list(_DRIVER.iterdir())) if _DRIVER.is_dir() else int(_WSL.exists())


def judge_torch(found: Mapping[str, Any], there: int) -> Verdict:
    """Whether torch can use the GPUs that the driver has."""
    build = f"CUDA {found['cuda']}" if found["cuda"] else "built without CUDA"
    words = f"{found['version']}, {build}, {', '.join(found['gpus']) or 'no GPU'}, {found['threads']} CPU threads"
    if not there or found["gpus"]:
        return Verdict("torch", words)
    why = "cannot use it: its driver may be older than this CUDA" if found["cuda"] else "is built without CUDA"
    cure = install_command(
        "--force-reinstall torch torchvision --index-url https://download.pytorch.org/whl/cu126",
        "(or another CUDA version that the driver supports: nvidia-smi shows it)",
    )
    return Verdict("torch", f"{words}; the driver has {there}, and torch {why}", "warning", cure)


def judge_geography(name: str, found: Mapping[str, Any]) -> Verdict:
    """Whether a coordinate comes out where it should, and the library has found its data."""
    words = f"{found['version']}, data in {found['data']}"
    if max(abs(a - b) for a, b in zip(found["metres"], _PLACE, strict=True)) > 1:
        return _broken(name, f"{words}; 11 E 48 N in EPSG:25832 came out as {found['metres']}")
    if not found["data"] or not Path(found["data"]).is_dir():
        return _broken(name, f"{found['version']} has not found its data files")
    return Verdict(name, words)


def _broken(name: str, found: str) -> Verdict:
    package = _PACKAGES.get(name, name)
    cure = install_command("--force-reinstall", package)
    if package == "torch":
        cure += " torchvision (without a GPU: --index-url https://download.pytorch.org/whl/cpu)"
    return Verdict(name, found, "error", cure)
