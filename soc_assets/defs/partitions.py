"""The partitions: of `embeddings` batches, of `map_tiles` periods and tiles, of `soc_map` periods, of changes pairs.

Batches are registered by `balanced_samples`; those of maps by `soc map`, the schedule and the sensor of maps. With
several studies in a deployment each has sets of its own (`Names`).
"""

import dagster as dg

from soc_assets.defs.names import BARE, Names

BATCH = dg.DynamicPartitionsDefinition(name="batch")
MAP_TILE = dg.DynamicPartitionsDefinition(name="map_tile")
MAP_PERIOD = dg.DynamicPartitionsDefinition(name="map_period")
MAP_CHANGE = dg.DynamicPartitionsDefinition(name="map_change")


def register(instance: dg.DagsterInstance, keys: list[str], names: Names = BARE) -> None:
    """Make the registered partitions equal to `keys`."""
    batch = names.flat("batch")
    for gone in sorted(set(_add(instance, batch, keys)) - set(keys)):
        instance.delete_dynamic_partition(batch, gone)


def add_maps(
    instance: dg.DagsterInstance, tiles: list[str], periods: list[str], names: Names = BARE
) -> tuple[list[str], list[str]]:
    """Register partitions of maps, beside those of earlier ones; returns all tiles and periods in Dagster's order."""
    return _add(instance, names.flat("map_tile"), tiles), _add(instance, names.flat("map_period"), periods)


def add_changes(instance: dg.DagsterInstance, changes: list[str], names: Names = BARE) -> list[str]:
    """Register partitions of changes, beside those of earlier ones; returns all in Dagster's order."""
    return _add(instance, names.flat("map_change"), changes)


def _add(instance: dg.DagsterInstance, name: str, keys: list[str]) -> list[str]:
    """Add partitions; returns all that there are.

    Dagster looks which keys are new and then inserts them, so a process that added one in between makes the insertion
    of them all fail: then another look.
    """
    from sqlalchemy.exc import IntegrityError

    while new := _not_registered(instance, name, keys):
        try:
            instance.add_dynamic_partitions(name, new)
        except IntegrityError:
            if _not_registered(instance, name, keys) == new:  # nobody has added any: not this
                raise
    return list(instance.get_dynamic_partitions(name))


def _not_registered(instance: dg.DagsterInstance, name: str, keys: list[str]) -> list[str]:
    known = set(instance.get_dynamic_partitions(name))
    return [key for key in keys if key not in known]


def contiguous_ranges(keys: list[str], wanted: set[str], longest: int) -> list[list[str]]:
    """The wanted keys as contiguous ranges of `keys`, none longer than `longest`."""
    result: list[list[str]] = []
    previous_wanted = False
    for key in keys:
        if key in wanted:
            if not previous_wanted or len(result[-1]) == longest:
                result.append([])
            result[-1].append(key)
        previous_wanted = key in wanted
    return result
