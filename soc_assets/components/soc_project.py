"""The Dagster component: a study with its own settings, keys, partitions, jobs, sensors and registered model."""

import re
from pathlib import Path
from typing import Any

import dagster as dg
from dagster.components import Scaffolder, ScaffoldRequest, scaffold_component
from pydantic import Field, field_validator

from soc_assets.definitions import build_definitions
from soc_assets.defs.names import Names
from soc_assets.defs.resources import ProjectResource
from soc_assets.project import load_project
from soc_assets.settings import Automation

_PART = re.compile(r"[A-Za-z0-9_]+")


class _Scaffolder(Scaffolder):
    """Writes a defs.yaml that loads: the folder's name as the prefix, and where files go."""

    def scaffold(self, request: ScaffoldRequest) -> None:
        """Called by `dg scaffold defs soc_assets.components.SocProject NAME`."""
        paths = {"rasters": "data/rasters", "soil": "data/soil", "data": "data", "mlruns": "mlruns"}
        prefix = re.sub(r"\W", "_", request.target_path.name)
        scaffold_component(request, {"key_prefix": prefix, "settings": {"paths": paths}})


@dg.scaffold_with(_Scaffolder)
class SocProject(dg.Component, dg.Resolvable, dg.Model):
    """Soil organic carbon from soil samples and rasters: a study, beside others in one deployment.

    Everything of a study has its prefix: assets `north/embeddings`, jobs `north__embed`, the partitions of its batches
    and maps, sensors, schedules, and by default the registered model (`north__soc_mlp`) and MLflow's experiment
    (`north__soc`). Files and the database are where its settings say. Steps that need a device share the pool `gpu`.

    Example of a defs.yaml:

        type: soc_assets.components.SocProject
        attributes:
          key_prefix: north
          settings_file: ../../studies/north/soc.toml
          automation: false
    """

    key_prefix: str = Field(
        description="Before every name of the study: letters, digits and underscores; parts are separated by slashes.",
        examples=["north", "europe/alps"],
    )
    settings_file: str | None = Field(
        default=None,
        description="The study's soc.toml, relative to the folder of defs.yaml. Its paths are relative to it.",
        examples=["../../studies/north/soc.toml"],
    )
    settings: dict[str, Any] | None = Field(
        default=None,
        description="Tables as in soc.toml; they override those of settings_file. Without a file, paths are relative "
        "to the folder of defs.yaml.",
        examples=[{"paths": {"data": "/data/north"}, "study": {"year_from": 2010}}],
    )
    group_prefix: str | None = Field(
        default=None, description="Before the names of asset groups; by default that of the keys. Empty: none."
    )
    automation: bool | None = Field(
        default=None,
        description="Whether sensors and schedules start switched on; by default as [automation] active says.",
    )
    batches_per_run: int | None = Field(
        default=None, ge=1, description="Most batches in one run; by default as [automation] batches_per_run says."
    )

    @field_validator("key_prefix")
    @classmethod
    def _has_plain_parts(cls, given: str) -> str:
        if not all(_PART.fullmatch(part) for part in given.split("/")):
            raise ValueError("key_prefix is letters, digits and underscores, in parts separated by slashes")
        return given

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The study's assets, jobs, schedules, sensors and its resource.

        Raises:
            SettingsError: settings_file does not exist, or a setting is wrong; names it.
        """
        names = Names(tuple(self.key_prefix.split("/")), self.group_prefix)
        resource = self._resource(_folder_of(context), names)
        return build_definitions(self._automation(resource.described().automation), names=names, project=resource)

    def _resource(self, folder: Path, names: Names) -> ProjectResource:
        """Where every step loads the project from.

        Two studies may use one MLflow server: unless the settings say otherwise each has names of its own there.
        """
        config = str((folder / self.settings_file).resolve()) if self.settings_file else None
        given = dict(self.settings or {})
        where = {"config": config, "folder": None if config else str(folder)}
        tracking = load_project(Path(config) if config else None, given, folder).settings.tracking
        own = {
            name: names.flat(getattr(tracking, name))
            for name in ("registered_model", "experiment")
            if name not in tracking.model_fields_set
        }
        return ProjectResource(**where, settings={**given, "tracking": {**given.get("tracking", {}), **own}})

    def _automation(self, settings: Automation) -> Automation:
        given = {"active": self.automation, "batches_per_run": self.batches_per_run}
        return settings.model_copy(update={name: value for name, value in given.items() if value is not None})


def _folder_of(context: dg.ComponentLoadContext) -> Path:
    """The folder of defs.yaml."""
    path = context.path
    return path if path.is_dir() else path.parent
