"""The built wheel in an environment of its own, with the packages that it asks for and no others."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from soc_assets.diagnostics.packages import PACKAGE, follow_requirements
from soc_assets_tests.dagster_dev import REPOSITORY

_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "build", "dist", "data", "mlruns", ".dagster", ".soc", "*.pyc")


@dataclass(frozen=True)
class Installed:
    """An environment without pip, and an empty folder to work in."""

    environment: Path
    folder: Path

    @property
    def python(self) -> Path:
        return self.environment / "bin/python"

    @property
    def packages(self) -> Path:
        return next((self.environment / "lib").glob("python*/site-packages"))

    def variables(self) -> dict[str, str]:
        """Nothing from outside but where programs are."""
        return {"PATH": f"{self.environment / 'bin'}:{os.environ['PATH']}", "HOME": str(self.folder), "COLUMNS": "140"}

    def run(self, *command: str, at: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command of the environment, in the folder or one below it."""
        path = self.environment / "bin" / command[0]
        return subprocess.run(
            [str(path), *command[1:]],
            cwd=at or self.folder,
            env={**self.variables(), **variables},
            capture_output=True,
            text=True,
            timeout=300,
        )


def build_wheel(folder: Path) -> Path:
    """As `make wheel` does, from a copy of the sources."""
    sources = folder / "sources"
    shutil.copytree(REPOSITORY, sources, symlinks=True, ignore=_NOT_COPIED)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(sources)], check=True)
    shutil.rmtree(sources)
    [wheel] = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Installed:
    """Install it beside links to the files of what it needs, directly or not; extras are left out."""
    made = Installed(folder / "environment", folder / "work")
    made.folder.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made.environment)], check=True)
    versions, unmet = follow_requirements(PACKAGE)
    assert unmet == {}
    for name in versions:
        _link(metadata.distribution(name), made.packages)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(made.python), "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", "--no-compile", str(wheel)], check=True)
    return made


def _link(package: metadata.Distribution, packages: Path) -> None:
    """Link the files of an installed package, scripts left out."""
    for file in package.files or []:
        if file.parts[0] != "..":
            target = packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.symlink_to(Path(str(file.locate())).resolve())
