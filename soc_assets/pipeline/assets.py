"""The one list of assets, in the order the data flows: the job of each, and the version of the code behind it."""

from dataclasses import dataclass

from soc_assets.embedding import spec
from soc_assets.features import inputs as features
from soc_assets.ingest import inputs as ingest
from soc_assets.regression import inputs as regression
from soc_assets.sampling import inputs as sampling


@dataclass(frozen=True)
class Asset:
    """An asset of the platform.

    Attributes:
        name: its key in Dagster.
        job: of the jobs in `soc_assets.defs.automation.jobs`.
        version: of the code behind it; raised where its output changes, so that what is on disk becomes stale.
        on_request: made on request (`soc run --to evaluation`); not by `soc run` alone.
    """

    name: str
    job: str
    version: str
    on_request: bool = False


_ALL = (
    Asset("raster_catalog", "prepare", ingest.CATALOG_VERSION),
    Asset("soil_samples", "prepare", ingest.SOIL_VERSION),
    Asset("balanced_samples", "prepare", sampling.VERSION),
    Asset("embeddings", "embed", str(spec.VERSION)),
    Asset("features", "learn", features.VERSION),
    Asset("mlp_model", "learn", regression.VERSIONS["mlp_model"]),
    Asset("baselines", "evaluate", regression.VERSIONS["baselines"], on_request=True),
    Asset("evaluation", "evaluate", regression.VERSIONS["evaluation"], on_request=True),
    Asset("hyperparameters", "tune", regression.VERSIONS["hyperparameters"], on_request=True),
)
ASSETS: tuple[str, ...] = tuple(asset.name for asset in _ALL if not asset.on_request)
RESULTS: tuple[str, ...] = tuple(asset.name for asset in _ALL if asset.on_request)
VERSIONS = {asset.name: asset.version for asset in _ALL}
JOB_OF = {asset.name: asset.job for asset in _ALL}


def assets_of(job: str) -> tuple[str, ...]:
    """The assets that a job makes, in order."""
    return tuple(asset.name for asset in _ALL if asset.job == job)
