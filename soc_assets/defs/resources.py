"""Resources: the project's settings and paths, and where its MLflow is."""

import warnings
from pathlib import Path
from typing import Any

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
    settings: dict[str, Any] | None = None
    folder: str | None = None

    def load(self) -> Project:
        """The project, from `config`, $SOC_CONFIG or the nearest soc.toml; `settings` override the file's."""
        return open_project(*self._where)

    def described(self) -> Settings:
        """The settings when the code location loads.

        The defaults where they are wrong, so that a run can report why.
        """
        try:
            return load_project(*self._where).settings
        except SocError as error:
            words = f"{error}\nSchedules, sensors and the executor have their defaults until it is mended."
            warnings.warn(words, SocWarning, stacklevel=2)
            return Settings.model_construct()

    @property
    def _where(self) -> tuple[Path | None, dict[str, Any] | None, Path | None]:
        config, folder = (Path(given) if given else None for given in (self.config, self.folder))
        return config, self.settings, folder

    def on_cpu(self) -> Project:
        """The project, for a step that needs no device and is to see none."""
        gpus.hide()
        return self.load()


def require(path: Path, asset: str) -> None:
    """Say which asset to materialise first where its file is not there.

    Raises:
        SocError: the file does not exist.
    """
    if not path.is_file():
        raise SocError(f"{path} does not exist: materialise {asset} first (`soc run` does all in order).")
