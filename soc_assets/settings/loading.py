"""All of soc.toml with the overrides of SOC_* variables, and readable messages for mistakes in them."""

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as PydanticSettingsError

from soc_assets.errors import SettingsError
from soc_assets.settings import (
    Automation,
    Band,
    Embedding,
    Execution,
    Features,
    Maps,
    Mask,
    Paths,
    Pretraining,
    Rasters,
    Sampling,
    Soil,
    SoilTable,
    Study,
    Tracking,
    Training,
)
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets.settings.toml_file import CONFIG_VARIABLE, read_toml

EXECUTOR_VARIABLE = "SOC_EXECUTOR"  # short for SOC_EXECUTION__EXECUTOR
TOKEN_VARIABLE = "SOC_SERVE_TOKEN"  # of `soc serve`: a secret, so no setting
_OWN = (CONFIG_VARIABLE, EXECUTOR_VARIABLE, TOKEN_VARIABLE)


class Settings(BaseSettings):
    """All of soc.toml."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="SOC_", env_nested_delimiter="__")

    paths: Paths = Paths()
    study: Study = Study()
    rasters: Rasters = Rasters()
    soil: Soil = Soil()
    sampling: Sampling = Sampling()
    embedding: Embedding = Embedding()
    pretraining: Pretraining = Pretraining()
    features: Features = Features()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    map: Maps = Maps()
    tracking: Tracking = Tracking()
    automation: Automation = Automation()
    execution: Execution = Execution()

    _from_file: ClassVar[dict[str, Any]] = {}
    _given: ClassVar[dict[str, Any]] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        **_: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments go before SOC_* variables, these before what is given, and that before soc.toml."""
        files = (InitSettingsSource(settings_cls, given) for given in (cls._given, cls._from_file))
        return init_settings, env_settings, *files


def load_settings(path: Path | None, given: Mapping[str, Any] | None = None) -> Settings:
    """The settings of a soc.toml (None: the defaults), overridden by SOC_* variables, and checked.

    Args:
        path: the file.
        given: tables like those of the file, which override its values; a list or an array of tables as a whole.

    Raises:
        SettingsError: a key, value or variable is wrong; names it and the nearest known.
    """
    _refuse_unknown_variables()
    try:
        sources = {"_from_file": read_toml(path) if path else {}, "_given": dict(given or {})}
        from_file = type("SettingsFromFile", (Settings,), sources)
        named = os.environ.get(EXECUTOR_VARIABLE)
        short: dict[str, Any] = {"execution": {"executor": named}} if named else {}
        loaded = from_file(**short)
    except ValidationError as error:
        raise SettingsError(_explain(error, path)) from None
    except PydanticSettingsError:
        raise SettingsError(_not_json()) from None
    return Settings.model_construct(**{name: getattr(loaded, name) for name in Settings.model_fields})


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
    """Keys of the tables that are in lists."""
    of_recipes = [*_known_keys(Recipe, "evaluation.recipes."), *_known_keys(Recipe, "evaluation.candidates.")]
    others = [*_known_keys(SoilTable, "soil.tables."), *_known_keys(Mask, "map.masks.")]
    return [*_known_keys(Band, "rasters.bands."), *others, *of_recipes]
