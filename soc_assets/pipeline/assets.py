"""The one list of assets, in the order the data flows: the job of each, and the version of the code behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from soc_assets.embedding import spec
from soc_assets.features import inputs as features
from soc_assets.ingest import inputs as ingest
from soc_assets.mapping import versions as mapping
from soc_assets.pretraining import inputs as pretraining
from soc_assets.project import Project
from soc_assets.regression import inputs as regression
from soc_assets.regression.encoders import inputs as encoders
from soc_assets.sampling import inputs as sampling


@dataclass(frozen=True)
class Asset:
    """An asset of the platform.

    Attributes:
        name: its key in Dagster.
        job: of the jobs in `soc_assets.defs.automation.jobs`.
        version: of the code behind it; raised where its output changes, so that what is on disk becomes stale.
        result_inputs: of what is made when asked for (`soc run --to evaluation`), as `data/results/<name>.parquet`: the
            digest of its inputs. None for what `soc run` makes.
        after: of what is made when asked for: the last asset of `soc run` that it reads.
        of_maps: whether it is a part of a map (`soc map`).
    """

    name: str
    job: str
    version: str
    result_inputs: Callable[[Project], str] | None = None
    after: str = "features"
    of_maps: bool = False

    @property
    def on_request(self) -> bool:
        """Whether it is made only when asked for."""
        return self.result_inputs is not None or self.of_maps


_evaluated = regression.evaluation_inputs
_ALL = (
    Asset("raster_catalog", "prepare", ingest.CATALOG_VERSION),
    Asset("soil_samples", "prepare", ingest.SOIL_VERSION),
    Asset("balanced_samples", "prepare", sampling.VERSION),
    Asset("embeddings", "embed", str(spec.VERSION)),
    Asset("features", "learn", features.VERSION),
    Asset("mlp_model", "learn", regression.VERSIONS["mlp_model"]),
    Asset("baselines", "evaluate", regression.VERSIONS["baselines"], partial(_evaluated, asset="baselines")),
    Asset("evaluation", "evaluate", regression.VERSIONS["evaluation"], partial(_evaluated, asset="evaluation")),
    Asset(
        "hyperparameters", "tune", regression.VERSIONS["hyperparameters"], partial(_evaluated, asset="hyperparameters")
    ),
    Asset("encoder_comparison", "compare_encoders", encoders.VERSION, encoders.comparison_inputs),
    Asset(
        "pretrained_encoder", "pretrain", pretraining.VERSION, pretraining.pretraining_inputs, after="raster_catalog"
    ),
    Asset("map_tiles", "map", mapping.TILES, of_maps=True),
    Asset("soc_map", "assemble", mapping.FILES, of_maps=True),
    Asset("soc_map_change", "compare", mapping.CHANGES, of_maps=True),
)
ASSETS: tuple[str, ...] = tuple(asset.name for asset in _ALL if not asset.on_request)
RESULTS: tuple[str, ...] = tuple(asset.name for asset in _ALL if asset.result_inputs)
MAPS: tuple[str, ...] = tuple(asset.name for asset in _ALL if asset.of_maps)
VERSIONS = {asset.name: asset.version for asset in _ALL}
JOB_OF = {asset.name: asset.job for asset in _ALL}
AFTER = {asset.name: asset.after for asset in _ALL if asset.result_inputs}
RESULT_INPUTS = {asset.name: asset.result_inputs for asset in _ALL if asset.result_inputs}


def assets_of(job: str) -> tuple[str, ...]:
    """The assets that a job makes, in order."""
    return tuple(asset.name for asset in _ALL if asset.job == job)
