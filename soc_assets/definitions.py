"""The code location that Dagster loads: assembles assets, jobs and resources, nothing else."""

from typing import Any

import dagster as dg

from soc_assets.defs import embedding, features, ingest, jobs, regression, sampling
from soc_assets.defs.resources import ProjectResource


def build_definitions(**resources: Any) -> dg.Definitions:
    """All definitions; a test overrides resources by keyword."""
    return dg.Definitions(
        assets=[
            ingest.raster_catalog,
            ingest.soil_samples,
            sampling.balanced_samples,
            embedding.embeddings,
            features.features,
            regression.mlp_model,
        ],
        jobs=[jobs.prepare, jobs.embed, jobs.learn],
        resources={"project": ProjectResource(), **resources},
    )


defs = build_definitions()
