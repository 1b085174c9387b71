"""The partitions of `embeddings`: one per batch, registered by `balanced_samples`."""

import dagster as dg

BATCH = dg.DynamicPartitionsDefinition(name="batch")


def register(instance: dg.DagsterInstance, keys: list[str]) -> None:
    """Make the registered partitions equal to `keys`."""
    known = set(instance.get_dynamic_partitions("batch"))
    if new := [key for key in keys if key not in known]:
        instance.add_dynamic_partitions("batch", new)
    for gone in sorted(known - set(keys)):
        instance.delete_dynamic_partition("batch", gone)


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
