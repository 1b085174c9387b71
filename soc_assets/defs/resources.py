"""Resources: the project's settings and paths, and where its MLflow is."""

import warnings
from pathlib import Path

import dagster as dg

from soc_assets.errors import SocError, SocWarning
from soc_assets.project import Project, load_project, open_project
from soc_assets.runtime import gpus
from soc_assets.settings.loading import Settings


class ProjectResource(dg.ConfigurableResource):
    """soc.toml, read when a step starts, so that a change needs no reload of the code location.

    What other hosts wrote to a data folder on object storage is fetched then, too.
    """

    config: str | None = None

    def load(self) -> Project:
        """The project, from `config`, from $SOC_CONFIG, or from the nearest soc.toml."""
        return open_project(Path(self.config) if self.config else None)

    def on_cpu(self) -> Project:
        """The project, for a step that needs no device and is to see none."""
        gpus.hide()
        return self.load()


def settings_at_load() -> Settings:
    """The settings when the code location loads; the defaults where soc.toml is wrong, so that a run can report why."""
    try:
        return load_project().settings
    except SocError as error:
        words = f"{error}\nSchedules, sensors and the executor have their defaults until it is mended."
        warnings.warn(words, SocWarning, stacklevel=2)
        return Settings.model_construct()


def require(path: Path, asset: str) -> None:
    """Say which asset to materialise first where its file is not there.

    Raises:
        SocError: the file does not exist.
    """
    if not path.is_file():
        raise SocError(f"{path} does not exist: materialise {asset} first (`soc run` does all in order).")
