"""The project that `benchmarks.damage` spoils: finished, with an evaluation, a search and two models; and the damages.

It is the small project of the tests. An earlier state of it, with the samples of 2015 left out, gives the older copies.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from soc_assets_tests.small_project import QUICK_EVALUATION, SmallProject, clean_environment, write_project

POINTS = "points.csv"
_VARYING = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{10,}|(?<=compute_logs/)[a-z]{8}|\d+")


@dataclass(frozen=True)
class Kept:
    """A finished project as it is put back before each damage.

    Attributes:
        folder: holds `whole`, `older` (snapshots) and `project`, where it is used: its paths never change.
    """

    folder: Path

    @property
    def project(self) -> Path:
        """Where it is used."""
        return self.folder / "project"

    def put_back(self) -> None:
        """The finished project as it was."""
        shutil.rmtree(self.project, ignore_errors=True)
        shutil.copytree(self.folder / "whole", self.project)

    def files(self) -> list[str]:
        """Every file of the finished project, by its path in it."""
        whole = self.folder / "whole"
        return sorted(path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file())

    def one_of_each(self) -> dict[str, list[str]]:
        """The file that stands for its kind (the newest one) -> all files of the kind."""
        kinds: dict[str, list[str]] = {}
        for name in self.files():
            kinds.setdefault(kind_of(name), []).append(name)
        whole = self.folder / "whole"
        return {max(names, key=lambda name: (whole / name).stat().st_mtime_ns): names for names in kinds.values()}


def kind_of(name: str) -> str:
    """A path with its ids, digests, numbers and years left out, rasters without their band, and what is read alike."""
    name = re.sub(r"yearly/.*", "yearly/*/*.tif", name)
    name = re.sub(r"\.schemas/.*", ".schemas/*.parquet", re.sub(r"compute_logs/.*", "compute_logs/*", name))
    name = re.sub(r"(conda\.yaml|python_env\.yaml|requirements\.txt)$", "conda.yaml", name)
    return _VARYING.sub("*", re.sub(r"figures/.*", "figures/*.png", name))


def make(folder: Path) -> Kept:
    """Make the project once, in another process: forks of one in which torch has computed wait for its threads."""
    if not (folder / "whole").is_dir():
        subprocess.run([sys.executable, "-m", "benchmarks.damage_project", str(folder)], check=True)
    return Kept(folder)


def _make(kept: Kept) -> None:
    folder = kept.folder
    shutil.rmtree(folder, ignore_errors=True)
    with clean_environment():
        made = write_project(kept.project)
        made.config.write_text(made.config.read_text() + QUICK_EVALUATION)
        table = kept.project / "data/soil/b.csv"
        rows = table.read_text().splitlines(keepends=True)
        _write_points(kept.project, rows)
        table.write_text("".join(row for row in rows if "2015-" not in row))
        _finish(made)
        shutil.copytree(kept.project, folder / "older")
        table.write_text("".join(rows))
        _finish(made)
        shutil.copytree(kept.project, folder / "whole.part")
        (folder / "whole.part").replace(folder / "whole")


def _finish(made: SmallProject) -> None:
    for to in ("hyperparameters", "evaluation", "mlp_model"):
        outcome = made.run(to)
        if outcome.failures:
            raise SystemExit("\n".join(outcome.failures))


def _write_points(root: Path, rows: list[str]) -> None:
    (root / POINTS).write_text("".join(rows[:9]))


def deleted(path: Path, older: Path) -> None:
    """The file is gone."""
    path.unlink()


def empty(path: Path, older: Path) -> None:
    """The file has no bytes."""
    os.truncate(path, 0)


def cut(path: Path, older: Path) -> None:
    """The second half is gone."""
    os.truncate(path, path.stat().st_size // 2)


def zeroed(path: Path, older: Path) -> None:
    """Every byte is zero, as a disk without power may leave it."""
    path.write_bytes(bytes(path.stat().st_size))


def flipped(path: Path, older: Path) -> None:
    """All bits of the byte in the middle are turned."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def older(path: Path, older: Path) -> None:
    """The file as it was before the last samples came."""
    shutil.copyfile(older, path)


DAMAGES: dict[str, Callable[[Path, Path], None]] = {
    "deleted": deleted,
    "empty": empty,
    "cut": cut,
    "zeroed": zeroed,
    "flipped": flipped,
    "older": older,
}


def damage(kept: Kept, name: str, kind: str) -> bool:
    """Spoil one file of the project; False where there is nothing to spoil (no bytes, no other older copy)."""
    path, before = kept.project / name, kept.folder / "older" / name
    if kind == "older" and (not before.is_file() or before.read_bytes() == path.read_bytes()):
        return False
    if kind not in ("deleted", "older") and not path.stat().st_size:
        return False
    DAMAGES[kind](path, before)
    return True


if __name__ == "__main__":
    _make(Kept(Path(sys.argv[1])))
