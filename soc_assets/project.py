"""The project: its settings, loaded and checked, and the absolute path of every file of the contract.

How SOC_* variables override soc.toml and how mistakes are told to people belongs here; what the settings mean is in
`soc_assets.settings`, reading the file in `soc_assets.toml_file`.
"""

import difflib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as PydanticSettingsError

from soc_assets.errors import SettingsError
from soc_assets.ingest.rasters.allowed import allow
from soc_assets.settings import (
    Automation,
    Band,
    Embedding,
    Execution,
    Features,
    Paths,
    Rasters,
    Sampling,
    Soil,
    SoilTable,
    Study,
    Tracking,
    Training,
)
from soc_assets.settings_evaluation import Evaluation, Recipe
from soc_assets.surroundings import require_plain
from soc_assets.toml_file import CONFIG_VARIABLE, find_config, read_toml
from soc_assets.vector_guard import allow as allow_vectors

EXECUTOR_VARIABLE = "SOC_EXECUTOR"  # short for SOC_EXECUTION__EXECUTOR
_OWN = (CONFIG_VARIABLE, EXECUTOR_VARIABLE)


class Settings(BaseSettings):
    """All of soc.toml."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="SOC_", env_nested_delimiter="__")

    paths: Paths = Paths()
    study: Study = Study()
    rasters: Rasters = Rasters()
    soil: Soil = Soil()
    sampling: Sampling = Sampling()
    embedding: Embedding = Embedding()
    features: Features = Features()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    tracking: Tracking = Tracking()
    automation: Automation = Automation()
    execution: Execution = Execution()

    _from_file: ClassVar[dict[str, Any]] = {}

    @classmethod
    def settings_customise_sources(  # noqa: D102 - a hook of pydantic-settings
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        **_: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, cls._from_file)


@dataclass(frozen=True)
class Project:
    """Settings and the files they place; every path is absolute."""

    root: Path
    settings: Settings

    def path(self, relative: str) -> Path:
        """A path from the settings, made absolute from the folder of soc.toml."""
        return (self.root / Path(relative).expanduser()).resolve()

    def _file(self, given: str | None) -> Path | None:
        return self.path(given) if given else None

    def _folder(self, given: str, copy: str | None = None) -> Path:
        """The folder that a setting names, or the copy of it."""
        if not is_url(given):
            return self.path(given.removeprefix("file://"))
        return self.path(copy or f".soc/{re.sub(r'[^A-Za-z0-9.-]+', '_', given.partition('://')[2]).strip('_.')}")

    @property
    def data(self) -> Path:
        """The folder of everything written; where it is on object storage, this host's copy."""
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
            SettingsError: it is no folder on this machine.
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
            SettingsError: it is no folder on this machine.
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
        """The DuckDB file."""
        return self.data / "soc.duckdb"

    @property
    def results(self) -> Path:
        """The folder of what the evaluation writes."""
        return self.data / "results"

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
    def dagster_home(self) -> Path:
        """DAGSTER_HOME, or the project's own instance folder."""
        return Path(os.environ.get("DAGSTER_HOME") or self.root / ".dagster").expanduser()


def is_url(folder: str) -> bool:
    """Whether a folder of the settings is on object storage."""
    return "://" in folder and not folder.startswith("file://")


def load_project(config: Path | None = None) -> Project:
    """Load and check the settings.

    Args:
        config: a soc.toml; None looks for it (see `find_config`); without one the defaults hold in the current folder.

    Raises:
        SettingsError: the file is missing or not TOML, or a key or value is wrong; names the key and the nearest known.
    """
    path = config.expanduser().resolve() if config else find_config()
    if path and not path.is_file():
        raise SettingsError(f"The settings file {path} does not exist.")
    _refuse_unknown_variables()
    try:
        from_file = type("SettingsFromFile", (Settings,), {"_from_file": read_toml(path) if path else {}})
        named = os.environ.get(EXECUTOR_VARIABLE)
        short: dict[str, Any] = {"execution": {"executor": named}} if named else {}
        loaded = from_file(**short)
    except ValidationError as error:
        raise SettingsError(_explain(error, path)) from None
    except PydanticSettingsError:
        raise SettingsError(_not_json()) from None
    settings = Settings.model_construct(**{name: getattr(loaded, name) for name in Settings.model_fields})
    project = Project(root=path.parent if path else Path.cwd().resolve(), settings=settings)
    require_plain(project.root, "The project's folder")
    for key in ("data", "mlruns"):
        require_plain(getattr(project, key), f"[paths] {key} in soc.toml")
    require_plain(project.dagster_home.absolute(), "DAGSTER_HOME")
    allow(project.rasters, settings.rasters, project.root)
    allow_vectors((project.region, project.regions), settings.study.vector_drivers)
    return project


def _refuse_unknown_variables() -> None:
    known = {f"SOC_{key.replace('.', '__')}".upper() for key in _known_keys(Settings)}
    for name in sorted(os.environ):
        if name.upper().startswith("SOC_") and name.upper() not in {*known, *_OWN}:
            raise SettingsError(f"The environment variable {name} is not a setting{_nearest(name.upper(), known)}.")


def _not_json() -> str:
    """Which of the variables for lists and tables cannot be read."""
    wrong = []
    for name, value in sorted(os.environ.items()):
        if name.upper().startswith("SOC_") and name.upper() not in _OWN:
            try:
                json.loads(value)
            except ValueError:
                wrong.append(f"{name}={value}")
    example = "for example SOC_TRAINING__HIDDEN='[512, 256]'"
    return f"Lists and tables in variables are written as JSON, {example}. Found {', '.join(wrong)}."


def _known_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                keys += _known_keys(kind, f"{prefix}{name}.")
    return keys


def _nearest(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; the nearest is {close[0]}" if close else ""


def _explain(error: ValidationError, path: Path | None) -> str:
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"]) or "soc.toml"
        if item["type"] == "extra_forbidden":
            parent, _, leaf = key.rpartition(".")
            siblings = [
                k.rpartition(".")[2] for k in [*_known_keys(Settings), *_keys_of_lists()] if _parent(k) == _parent(key)
            ]
            elsewhere = [k for k in _known_keys(Settings) if k.endswith("." + leaf)]
            hint = f"; it belongs in [{_parent(elsewhere[0])}]" if elsewhere else _nearest(leaf, siblings)
            lines.append(f"[{parent}] has no key {leaf!r}{hint}" if parent else f"there is no table [{leaf}]{hint}")
        else:
            given = "" if isinstance(item["input"], dict) else f" (found {item['input']!r})"
            lines.append(f"{key}: {item['msg'].removeprefix('Value error, ')}{given}")
    where = path or "the settings"
    return f"{where} or a SOC_* variable is wrong:\n" + "\n".join(f"  - {line}" for line in lines)


def _parent(key: str) -> str:
    return ".".join(part for part in key.split(".")[:-1] if not part.isdigit())


def _keys_of_lists() -> list[str]:
    """Keys of the tables that stand in lists."""
    of_recipes = [*_known_keys(Recipe, "evaluation.recipes."), *_known_keys(Recipe, "evaluation.candidates.")]
    return [*_known_keys(Band, "rasters.bands."), *_known_keys(SoilTable, "soil.tables."), *of_recipes]
