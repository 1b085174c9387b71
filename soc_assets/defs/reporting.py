"""What a step reports while it runs: progress in its asset's name, and in the run's log what the package logs."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import dagster as dg

from soc_assets.runtime import progress


class _RunLog(logging.Handler):
    """Passes what is logged on to the log of a run."""

    def __init__(self, log: dg.DagsterLogManager) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, at its own level."""
        self._log.log(record.levelno, record.getMessage())


@contextmanager
def reporting_as(asset: str, context: dg.AssetExecutionContext) -> Iterator[None]:
    """In the block progress is that of this asset, and what the package logs is in the run's log."""
    with progress.logging_to(_RunLog(context.log), "soc_assets"), progress.of(asset):
        yield


def reporting(asset: Callable[..., Any]) -> Callable[..., Any]:
    """`reporting_as` around the function of an asset that returns its result; one that yields does it itself."""

    @wraps(asset)
    def reported(context: dg.AssetExecutionContext, *args: Any, **kwargs: Any) -> Any:
        with reporting_as(asset.__name__, context):
            return asset(context, *args, **kwargs)

    return reported
