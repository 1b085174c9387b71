"""The small project at the ends of its jobs: each state is made once for all test processes, and copied.

What Dagster does around a few rasters takes seconds, a copy milliseconds; a copied project computes nothing again.
"""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from soc_assets.definitions import defs
from soc_assets.features import refresh
from soc_assets_tests import figures
from soc_assets_tests.small_project import SmallProject, clean_environment, write_project


def _write(made: SmallProject) -> None:
    """Nothing ran yet in its Dagster instance, whose databases take a second to make."""
    write_project(made.root)
    made.use()
    with dg.DagsterInstance.get() as instance:
        instance.get_runs()
        instance.get_asset_records([dg.AssetKey("none")])
        instance.get_dynamic_partitions("batch")


def _run(to: str, *launched: str) -> Callable[[SmallProject], None]:
    def run(made: SmallProject) -> None:
        outcome = made.run(to)
        assert (outcome.launched, outcome.failures) == ([*launched], [])

    return run


def _prepare_in_the_ui(made: SmallProject) -> None:
    made.use()
    with dg.DagsterInstance.get() as instance:
        assert defs.resolve_job_def("prepare").execute_in_process(instance=instance).success


STATES: dict[str, tuple[str | None, Callable[[SmallProject], None]]] = {
    "empty": (None, _write),
    "with a catalog": ("empty", _run("raster_catalog", "prepare")),
    "read": ("with a catalog", _run("soil_samples", "prepare")),
    "prepared": ("empty", _run("balanced_samples", "prepare")),
    "prepared in the UI": ("empty", _prepare_in_the_ui),
    "embedded": ("prepared", _run("embeddings", "embed")),
    "with features": ("embedded", _run("features", "learn")),
    "finished": ("embedded", _run("mlp_model", "learn")),
}
"""The state that each begins with, and what is done then."""


class Templates:
    """Projects in a folder that all test processes share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def copy(self, state: str, root: Path) -> SmallProject:
        """A project of one's own in one of `STATES`; `root` may be an empty folder."""
        shutil.copytree(self._made(state), root, dirs_exist_ok=True)
        made = SmallProject(root)
        with clean_environment():
            if refresh.moved(made.project):  # the paths in a database are absolute
                refresh.ensure(made.project)
        return made

    def _made(self, state: str) -> Path:
        former, do = STATES[state]
        place = self.folder / f"template-{state.replace(' ', '-')}"
        with place.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.exists():
                half = place.with_suffix(".half")
                shutil.rmtree(half, ignore_errors=True)
                made = self.copy(former, half) if former else SmallProject(half)
                with clean_environment(), figures.drawn():
                    do(made)
                half.rename(place)
        return place
