"""What the assets, jobs and partitions of a study are called in Dagster.

A deployment that holds one study has the bare names. Where it holds several (`soc_assets.components`), each has a
prefix: keys `north/embeddings`, jobs `north__embed`, partitions `north__batch`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from soc_assets.pipeline.assets import JOB_OF


@dataclass(frozen=True)
class Names:
    """The names of one study.

    Attributes:
        prefix: of asset keys, and with `__` of every other name; empty for the only study of a deployment.
        group_prefix: of asset groups, with `_`; None takes that of the keys.

    >>> Names(("north",)).key("features").to_user_string(), Names(("north",)).flat("embed"), Names().flat("embed")
    ('north/features', 'north__embed', 'embed')
    """

    prefix: tuple[str, ...] = ()
    group_prefix: str | None = None

    @classmethod
    def of(cls, context: dg.AssetExecutionContext) -> "Names":
        """The names of the study whose asset is materialised or observed."""
        return cls(tuple(context.asset_key.path[:-1]))

    def key(self, asset: str) -> dg.AssetKey:
        """The key of an asset."""
        return dg.AssetKey([*self.prefix, asset])

    def keys(self, assets: Iterable[str]) -> list[dg.AssetKey]:
        """The keys of assets, in order."""
        return [self.key(asset) for asset in assets]

    def flat(self, name: str) -> str:
        """A job, sensor, schedule, partitions definition or op."""
        return "__".join((*self.prefix, name))

    def group(self, name: str | None) -> str | None:
        """An asset group."""
        given = "_".join(self.prefix) if self.group_prefix is None else self.group_prefix
        return f"{given}_{name}" if given and name else name

    @property
    def resource(self) -> str:
        """The key of the resource that loads the project."""
        return self.flat("project")

    def project(self, context: Any) -> Any:
        """The resource that loads the project, from the context of a step, sensor or schedule."""
        return getattr(context.resources, self.resource)

    def owns(self, run: dg.DagsterRun) -> bool:
        """Whether a run is of one of the study's jobs, or of its assets."""
        jobs = {self.flat(job) for job in JOB_OF.values()}
        return run.job_name in jobs or any(tuple(key.path[:-1]) == self.prefix for key in run.asset_selection or ())


BARE = Names()
"""The names of a deployment's only study."""
