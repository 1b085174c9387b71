"""Metadata of many partitions of one run, added at once.

`context.add_asset_metadata` lists all partitions of the asset and copies what was added before,
at each call: with thousands of batches that takes longer than to embed them.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg


def add_to_partitions(context: dg.AssetExecutionContext, metadata: Mapping[str, Mapping[str, Any]]) -> None:
    """Add metadata to the materialisations of this run.

    Args:
        context: of the asset.
        metadata: by partition, each one of this run.

    Raises:
        ValueError: a partition is not one of this run.
    """
    if strange := set(metadata) - set(context.partition_keys):
        raise ValueError(f"{min(strange)} is not one of the partitions of this run")
    try:
        from dagster._core.execution.context.metadata_logging import AssetMetadataHandle, OutputMetadataAccumulator
    except ImportError:  # another version of Dagster: the slow way
        for key, values in metadata.items():
            context.add_asset_metadata(values, asset_key=context.asset_key, partition_key=key)
        return
    step = context.get_step_execution_context()
    before = dict(step._metadata_accumulator.per_output_metadata)
    for key, values in metadata.items():
        handle = AssetMetadataHandle(asset_key=context.asset_key, partition_key=key)
        before[handle] = {**before.get(handle, {}), **values}
    step._metadata_accumulator = OutputMetadataAccumulator(per_output_metadata=before)
