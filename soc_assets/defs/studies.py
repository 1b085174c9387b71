"""The assets of one of several studies in a deployment: the same functions under its keys, groups and partitions."""

import inspect
from collections.abc import Callable
from typing import Any

import dagster as dg

from soc_assets.defs.automation.conditions import after_the_last_batch
from soc_assets.defs.names import Names
from soc_assets.defs.resources import ProjectResource


def asset_of_study(item: dg.AssetsDefinition, names: Names, project: ProjectResource) -> dg.AssetsDefinition:
    """The asset of a study: its function gets the study's project.

    Args:
        item: the asset of the only study of a deployment; its op has the parameters `context`, `project` and perhaps
            `config`.
        names: of the study.
        project: its resource, for the conditions by which the daemon materialises the asset.
    """
    specs = [spec_of_study(spec, names, project) for spec in item.specs]
    shared: dict[str, Any] = {
        "specs": specs,
        "name": names.flat(item.op.name),
        "required_resource_keys": {names.resource},
    }
    compute = _with_project(_function_of(item), names)
    if not item.is_materializable:
        return dg.multi_observable_source_asset(**shared)(compute)
    return dg.multi_asset(
        **shared,
        check_specs=[_check_of_study(spec, names) for spec in item.check_specs],
        op_tags=item.op.tags,
        pool=item.op.pool,
        retry_policy=item.op.retry_policy,
        backfill_policy=item.backfill_policy,
    )(compute)


def spec_of_study(spec: dg.AssetSpec, names: Names, project: ProjectResource) -> dg.AssetSpec:
    """What Dagster knows of an asset, with the names of a study."""
    partitions = spec.partitions_def
    if isinstance(partitions, dg.DynamicPartitionsDefinition):
        partitions = dg.DynamicPartitionsDefinition(name=names.flat(partitions.name or ""))
    return spec.replace_attributes(
        key=names.key(spec.key.path[-1]),
        deps=[
            dg.AssetDep(names.key(dep.asset_key.path[-1]), partition_mapping=dep.partition_mapping) for dep in spec.deps
        ],
        group_name=names.group(spec.group_name),
        partitions_def=partitions,
        automation_condition=after_the_last_batch(project) if spec.automation_condition else None,
    )


def _check_of_study(spec: dg.AssetCheckSpec, names: Names) -> dg.AssetCheckSpec:
    key = names.key(spec.asset_key.path[-1])
    return dg.AssetCheckSpec(spec.name, asset=key, description=spec.description, blocking=spec.blocking)


def _function_of(item: dg.AssetsDefinition) -> Callable[..., Any]:
    found = item.op.compute_fn
    assert hasattr(found, "decorated_fn"), f"{item.key} is not made by a decorator"
    return found.decorated_fn  # pyright: ignore[reportAttributeAccessIssue]


def _with_project(function: Callable[..., Any], names: Names) -> Callable[..., Any]:
    """The function with its project taken from the study's resource: a parameter's name would be that of a resource."""

    def compute(context: Any, **config: Any) -> Any:
        return function(context, project=names.project(context), **config)

    kept = [given for given in inspect.signature(function).parameters.values() if given.name != "project"]
    vars(compute)["__signature__"] = inspect.Signature(kept)
    return compute
