"""Where runs come from that `soc run` executes in its own process: the code location, as those that the UI launches.

Dagster gives a run that is executed in process no origin, and its UI shows runs by their origin: jobs would have no
runs, and the timeline would be empty.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import dagster as dg
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

LOCATION = "soc_assets"  # as workspace.yaml names it


@contextmanager
def of_the_code_location(instance: dg.DagsterInstance, job: str) -> Iterator[None]:
    """Runs of a job that are created in the block have this origin (no public argument of Dagster's sets it)."""
    location = RegisteredCodeLocationOrigin(LOCATION)
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME), job)
    vars(instance)["create_run_for_job"] = partial(instance.create_run_for_job, remote_job_origin=origin)
    try:
        yield
    finally:
        del vars(instance)["create_run_for_job"]
