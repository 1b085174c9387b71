"""Settings of soc.toml that one run may override in the Launchpad: the config of `balanced_samples` and `mlp_model`.

The fields are those of the settings' own sections, all optional, and they are validated by them.
"""

import types
from dataclasses import replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import dagster as dg
from pydantic import Field, ValidationError, create_model

from soc_assets.errors import SettingsError
from soc_assets.project import Project
from soc_assets.settings import Sampling, Section, Training


def config_of(section: type[Section], table: str) -> type[dg.Config]:
    """A Dagster config with the fields of a section; one that is left out keeps the value of soc.toml."""
    fields: dict[str, Any] = {
        name: (_plain(info.annotation) | None, Field(default=None, description=info.description))
        for name, info in section.model_fields.items()
    }
    doc = f"Overrides [{table}] of soc.toml for this run; what is left out stays as it is there."
    return create_model(f"{table.title()}Config", __base__=dg.Config, __doc__=doc, **fields)


def overridden(project: Project, table: str, config: dg.Config) -> tuple[Project, dict[str, Any]]:
    """The project with what a run overrides.

    Args:
        project: settings as in soc.toml.
        table: name of the section.
        config: made by `config_of` of that section.

    Returns:
        The project for this run, and the overridden values for the record.

    Raises:
        SettingsError: a value is out of range; names the field.
    """
    given = {name: value for name, value in config.model_dump().items() if value is not None}
    if not given:
        return project, {}
    before: Section = getattr(project.settings, table)
    try:
        section = type(before).model_validate({**before.model_dump(), **given})
    except ValidationError as error:
        lines = [
            f"  - {_place(table, item['loc'])}: {item['msg']} (found {item['input']!r})" for item in error.errors()
        ]
        raise SettingsError("\n".join(["The config of this run (Launchpad) is wrong:", *lines])) from None
    return replace(project, settings=project.settings.model_copy(update={table: section})), given


def _place(table: str, parts: tuple[int | str, ...]) -> str:
    return ".".join([table, *map(str, parts)])


def _plain(annotation: Any) -> Any:
    """The nearest type that Dagster's config knows; the settings' own types check the values."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _plain(arguments[0])
    if origin is Literal:
        return type(arguments[0])
    if origin is tuple:
        return list[_plain(arguments[0])]
    if origin in (Union, types.UnionType):
        return _plain(next(argument for argument in arguments if argument is not type(None)))
    return annotation


class SamplingConfig(config_of(Sampling, "sampling")):
    """Overrides [sampling] of soc.toml for this run; what is left out stays as it is there."""


class TrainingConfig(config_of(Training, "training")):
    """Overrides [training] of soc.toml for this run; what is left out stays as it is there."""
