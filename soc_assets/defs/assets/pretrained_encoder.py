"""The asset `pretrained_encoder`: an encoder that has learned from the project's own rasters, made on request."""

from typing import Any

import dagster as dg

from soc_assets.defs.assets.ingest import raster_catalog
from soc_assets.defs.execution import AFTER_A_CRASH, POOL, on_device, tags_of_step
from soc_assets.defs.reporting import reporting
from soc_assets.defs.resources import ProjectResource, require
from soc_assets.defs.ui import report, tables
from soc_assets.errors import SocError
from soc_assets.pipeline.assets import VERSIONS
from soc_assets.pretraining.inputs import NAME, figures_of, output_of, pretraining_inputs
from soc_assets.pretraining.summary import in_words, read_summary
from soc_assets.project import Project
from soc_assets.storage import vouching
from soc_assets.tracking.pretraining import log_pretraining
from soc_assets.tracking.store import tracking_of


@dg.asset(
    deps=[raster_catalog],
    group_name="embedding",
    kinds={"pytorch", "mlflow"},
    code_version=VERSIONS[NAME],
    owners=tables.OWNERS,
    pool=POOL,
    op_tags=tags_of_step(on_device=True),
    retry_policy=AFTER_A_CRASH,
)
@reporting
def pretrained_encoder(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """An encoder pre-trained on windows of the rasters, without labels, by SpectralGPT's objective.

    - **Reads** the rasters of the bands; no sample.
    - **Writes** `data/results/pretrained_encoder.pth` in SpectralGPT's pre-training layout, the loss curve in
      `pretrained_encoder.parquet`, and a run in MLflow with pictures of reconstructions.
    - **Decided by** [pretraining] in soc.toml, and by model, image_size, arrangement and normalise of [embedding].

    Made on request (`soc pretrain`). It takes from half an hour on a laptop (`model = "vit_tiny_patch8"`) to hours on a
    GPU; a run that was killed goes on from its last saved state. To embed with it set
    `checkpoint = "data/results/pretrained_encoder.pth"` in [embedding]. Whether that helps, says `encoder_comparison`.
    """
    loaded = project.load()
    require(loaded.catalog, "raster_catalog")
    inputs, path = pretraining_inputs(loaded), loaded.results / f"{NAME}.parquet"
    cached = vouching.is_fresh(path, inputs)
    if not cached:
        with on_device(loaded.settings.pretraining.processes, loaded.settings.embedding.device):
            _pretrain(context, loaded, inputs)
    return dg.MaterializeResult(metadata={**_facts(loaded), "cached": cached}, data_version=dg.DataVersion(inputs))


def _pretrain(context: dg.AssetExecutionContext, project: Project, inputs: str) -> None:
    from soc_assets.pretraining.make import make_pretrained

    made = make_pretrained(project, inputs)
    try:
        log_pretraining(tracking_of(project), project, inputs, made.curve, made.facts, made.figures, context.run.run_id)
    except SocError as error:  # hours of work are done, and written
        context.log.warning(f"The pre-training is finished, but not in MLflow: {error}")


def _facts(project: Project) -> dict[str, Any]:
    """What the UI shows of the pre-training on disk."""
    curve, facts = read_summary(project.results / f"{NAME}.parquet")
    return {
        "result": in_words(curve, facts.get("normalise") == "image"),
        **{name: report.picture(path.read_bytes()) for name, path in figures_of(project).items() if path.is_file()},
        **facts,
        "curve": report.table(curve.round(6)),
        "checkpoint": dg.MetadataValue.path(str(output_of(project))),
        "mlflow": report.link(tracking_of(project)),
    }
