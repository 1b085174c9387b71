"""The project: its settings, loaded and checked, and the absolute path of every file of the contract.

What must be a file of this machine (soil tables, a checkpoint) is downloaded here, too, where it is on object storage;
the settings and their overrides are in `soc_assets.settings`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soc_assets.errors import CheckpointError, SettingsError
from soc_assets.runtime.surroundings import require_plain
from soc_assets.settings.loading import Settings, load_settings
from soc_assets.settings.toml_file import find_config
from soc_assets.storage import tracked_database
from soc_assets.storage.access import folder_at
from soc_assets.storage.raster_drivers import allow
from soc_assets.storage.vector_drivers import allow as allow_vectors


@dataclass(frozen=True)
class Project:
    """Settings and the files they place; every path is absolute, one on object storage has a Path's methods."""

    root: Path
    settings: Settings

    def path(self, relative: str) -> Path:
        """A path from the settings, made absolute from the folder of soc.toml."""
        return (self.root / Path(relative).expanduser()).resolve()

    def _file(self, given: str | None) -> Path | None:
        return self.path(given) if given else None

    def _folder(self, given: str, own: str | None = None) -> Path:
        """The folder on this machine that a setting names, or that belongs to a URL."""
        if not is_url(given):
            return self.path(given.removeprefix("file://"))
        return self.path(own or f".soc/{re.sub(r'[^A-Za-z0-9.-]+', '_', given.partition('://')[2]).strip('_.')}")

    @property
    def data(self) -> Path:
        """The folder of everything that is written and shared, on this machine or on object storage."""
        given = self.settings.paths.data
        return folder_at(given) if is_url(given) else self._folder(given)

    @property
    def own(self) -> Path:
        """The folder of what each host has for itself and can make again; `data` where that is on this machine."""
        return self._folder(self.settings.paths.data, self.settings.paths.data_copy)

    @property
    def rasters(self) -> Path | str:
        """The folder of rasters or a zip of them; as text where it is a URL or a `/vsi...` path of GDAL."""
        given = self.settings.paths.rasters
        if given.startswith("/vsizip/"):
            return f"/vsizip/{self.path(given.removeprefix('/vsizip/'))}"
        return given if "://" in given or given.startswith("/vsi") else self.path(given)

    @property
    def raster_folder(self) -> Path:
        """The folder of rasters, to write into.

        Raises:
            SettingsError: it is not a folder on this machine.
        """
        if isinstance(self.rasters, str):
            raise SettingsError(
                f"[paths] rasters in soc.toml is {self.rasters}, and this command needs a folder on this machine."
            )
        return self.rasters

    @property
    def soil(self) -> Path:
        """The folder of soil tables; where it is on object storage, this host's copy."""
        return self._folder(self.settings.paths.soil)

    @property
    def soil_folder(self) -> Path:
        """The folder of soil tables, to write into.

        Raises:
            SettingsError: it is not a folder on this machine.
        """
        if is_url(self.settings.paths.soil):
            raise SettingsError(
                f"[paths] soil in soc.toml is {self.settings.paths.soil}, and this command needs a folder on this "
                "machine."
            )
        return self.soil

    @property
    def mlruns(self) -> Path:
        """MLflow's folder."""
        return self.path(self.settings.paths.mlruns)

    @property
    def catalog(self) -> Path:
        """The catalog of rasters."""
        return self.data / "catalog" / "rasters.parquet"

    @property
    def gaps(self) -> Path:
        """The steps of the study's years that have no raster."""
        return self.data / "catalog" / "gaps.parquet"

    @property
    def embeddings(self) -> Path:
        """The folder that holds one folder per embedding spec."""
        return self.data / "embeddings"

    @property
    def database(self) -> Path:
        """The DuckDB file, of this host."""
        return self.own / "soc.duckdb"

    @property
    def results(self) -> Path:
        """The folder of what the evaluation writes."""
        return self.data / "results"

    @property
    def scratch(self) -> Path:
        """The folder of what training, evaluation and pre-training keep on this host, and can make again."""
        return self.own / "results"

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint (where it is on object storage, this host's copy), or None for random weights."""
        given = self.settings.embedding.checkpoint
        return self._folder(given) / given.rpartition("/")[2] if given and is_url(given) else self._file(given)

    @property
    def region(self) -> Path | None:
        """The file of the region, with `|layer=name` where the settings name a layer, or None."""
        return self._file(self.settings.study.region)

    @property
    def regions(self) -> Path | None:
        """The file of the regions that the evaluation is scored by, as `region`, or None."""
        return self._file(self.settings.evaluation.regions)

    def samples(self, name: str) -> Path:
        """A table of the samples folder: samples, rejected, tables, balanced, excluded, folds or batches."""
        return self.data / "samples" / f"{name}.parquet"

    @property
    def known(self) -> Path:
        """The folder of what this host has found out and may find out again: it may be deleted."""
        return self.root / ".soc" / "known"

    @property
    def answers(self) -> Path:
        """Answers that took seconds to find (`soc_assets.storage.remembered`)."""
        return self.known / "answers.json"

    @property
    def dagster_home(self) -> Path:
        """DAGSTER_HOME, or the project's own instance folder."""
        return Path(os.environ.get("DAGSTER_HOME") or self.root / ".dagster").expanduser()


def is_url(folder: str) -> bool:
    """Whether a folder of the settings is on object storage."""
    return "://" in folder and not folder.startswith("file://")


def load_project(
    config: Path | None = None, given: Mapping[str, Any] | None = None, folder: Path | None = None
) -> Project:
    """Load and check the settings.

    Args:
        config: a soc.toml; None looks for it (see `find_config`); without one the defaults hold in the current folder.
        given: settings that override those of the file, as tables.
        folder: the folder of a project without a soc.toml; none is looked for then.

    Raises:
        SettingsError: the file is missing or not TOML, or a key or value is wrong; names the key and the nearest known.

    Examples:
        >>> project = load_project(Path("soc.toml"))
        >>> project.settings.study.max_oc, project.samples("balanced").name
        (150.0, 'balanced.parquet')
    """
    path = config.expanduser().resolve() if config else None if folder else find_config()
    if path and not path.is_file():
        raise SettingsError(f"The settings file {path} does not exist.")
    settings = load_settings(path, given)
    project = Project(root=path.parent if path else (folder or Path.cwd()).resolve(), settings=settings)
    require_plain(project.root, "The project's folder")
    require_plain(project.own, f"[paths] {'data_copy' if is_url(settings.paths.data) else 'data'} in soc.toml")
    require_plain(project.mlruns, "[paths] mlruns in soc.toml")
    require_plain(project.dagster_home.absolute(), "DAGSTER_HOME")
    allow(project.rasters, settings.rasters, project.root)
    allow_vectors((project.region, project.regions), settings.study.vector_drivers)
    return project


def is_tracked(project: Project) -> bool:
    """Whether MLflow can hold anything of the project; loads neither Dagster nor MLflow, which takes seconds."""
    return bool(project.settings.tracking.server) or tracked_database.is_there(project.mlruns / "mlflow.db")


def open_project(
    config: Path | None = None, given: Mapping[str, Any] | None = None, folder: Path | None = None
) -> Project:
    """The project; parts on object storage are fetched first, so that all later steps see the current state.

    Raises:
        SettingsError: see `load_project`; or a copy belongs to another URL.
        StorageError: storage cannot be reached, or a copy cannot be written.
        CheckpointError: the checkpoint is not on the storage that the settings name.
    """
    project = load_project(config, given, folder)
    prepare(project)
    return project


def prepare(project: Project) -> None:
    """Download what must be files of this machine, and see that storage answers; see `open_project`."""
    paths, given = project.settings.paths, project.settings.embedding.checkpoint or ""
    if not any(map(is_url, (paths.data, paths.soil, given))):
        return
    from soc_assets.storage import download, former_copy

    if is_url(paths.data):
        download.require_bucket(paths.data)
        former_copy.move_in(project.own, paths.data)
    if is_url(paths.soil):
        download.folder(paths.soil, project.soil)
    if (checkpoint := project.checkpoint) and is_url(given):
        download.file(given, checkpoint)
        if not checkpoint.is_file():
            raise CheckpointError(
                f"The checkpoint {given} does not exist. Correct `checkpoint` in [embedding] of soc.toml."
            )
