"""The environment of the peers: a virtual environment of its own, since torchgeo does not resolve with our pins.

It is made once and kept in a folder. Each package is installed by itself, so that one that cannot be installed costs
its own rows alone.
"""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# torchvision is compiled for one torch; both are those of torchgeo's release.
GROUPS = {
    "rioxarray": ("rioxarray", "torch==2.13.0", "pyarrow"),
    "torchgeo": ("torchgeo==0.8.1", "torch==2.13.0", "torchvision==0.28.0", "requests", "pyarrow"),
    "pandas": ("pandas", "pyarrow"),
    "polars": ("polars>=2", "pyarrow"),
    "exactextract": ("exactextract", "geopandas", "rasterio"),
    "rasterio": ("rasterio", "pyproj"),
}
_LIMIT = 1800  # seconds of one installation


@dataclass(frozen=True)
class Environment:
    """The interpreter of the peers, their versions, and why some are not there."""

    python: Path
    versions: dict[str, str]
    missing: dict[str, str]

    def run(self, module: str, *arguments: str) -> dict[str, Any]:
        """What a module of `benchmarks`, run there, prints last: one line of JSON.

        Raises:
            RuntimeError: it failed; with the last line that it said.
        """
        repository = Path(__file__).parents[1]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
        done = subprocess.run(
            [self.python, "-m", f"benchmarks.{module}", *arguments],
            cwd=repository,
            env={**environment, "PYTHONPATH": str(repository)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(last_line(done.stderr) or f"exit status {done.returncode}")
        return json.loads(last_line(done.stdout))


def prepare(folder: Path, wanted: tuple[str, ...] = tuple(GROUPS)) -> Environment:
    """Make the environment, or use the one that is there; packages that are missing are tried again.

    Args:
        folder: of the environment.
        wanted: peers, names of `GROUPS`.
    """
    python = folder / "bin" / "python"
    if not python.is_file():
        print(f"making an environment for the peers in {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True)
    versions, missing = {}, {}
    for peer in wanted:
        found = _version(python, peer)
        why = None if found else _install(python, GROUPS[peer])
        if why is None and (version := found or _version(python, peer)):
            versions[peer] = version
        else:
            missing[peer] = why or "it is installed and cannot be imported"
    return Environment(python, versions, missing)


def _version(python: Path, peer: str) -> str | None:
    """The version of a peer whose packages are all there; None where one is missing."""
    names = [re.split("[=>]", requirement)[0] for requirement in GROUPS[peer]]
    code = f"import importlib.metadata as m; print([m.version(name) for name in {names}][0])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _install(python: Path, requirements: tuple[str, ...]) -> str | None:
    """Install packages; None, or why it cannot be done."""
    print(f"installing {' '.join(requirements)}", file=sys.stderr)
    index = ("--extra-index-url", CPU_INDEX) if _is_reachable(CPU_INDEX) else ()
    command = [str(python), "-m", "pip", "install", "--quiet", *index, *requirements]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        return f"pip was not done after {_LIMIT} s"
    return None if done.returncode == 0 else last_line(done.stderr)


def _is_reachable(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/torch/", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
