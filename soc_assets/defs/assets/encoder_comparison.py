"""The asset `encoder_comparison`: whether pre-training helps, on identical folds; made on request."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from soc_assets.defs.assets.features import features, require_fresh_features
from soc_assets.defs.execution import AFTER_A_CRASH, POOL, on_device, tags_of_step
from soc_assets.defs.reporting import reporting
from soc_assets.defs.resources import ProjectResource
from soc_assets.defs.ui import report, tables
from soc_assets.pipeline.assets import VERSIONS
from soc_assets.project import Project
from soc_assets.regression.encoders.compare import compare_encoders
from soc_assets.regression.encoders.inputs import NAME, comparison_inputs
from soc_assets.regression.encoders.report import encoder_sections
from soc_assets.regression.encoders.words import verdict
from soc_assets.regression.report.page import html_report
from soc_assets.regression.report.sections import pictures
from soc_assets.storage import files, vouching
from soc_assets.storage.vouching import vouch


@dg.asset(
    deps=[features],
    group_name="regression",
    kinds={"pytorch", "sklearn"},
    code_version=VERSIONS[NAME],
    owners=tables.OWNERS,
    pool=POOL,
    op_tags=tags_of_step(on_device=True),
    retry_policy=AFTER_A_CRASH,
)
@reporting
def encoder_comparison(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """Encoders on identical folds: random weights, published, own pre-training, PCA of windows, points alone.

    - **Reads** the samples and rasters, the folds, and the checkpoints that there are.
    - **Writes** `data/results/encoder_comparison.parquet` and the report `encoders.html`.
    - **Decided by** [embedding] and the primary scheme of [evaluation] in soc.toml.

    Each encoder is frozen and fitted to alone and beside the point values, with 10, 25, 50 and 100 % of the locations.
    Says in one sentence whether pre-training helped beyond its interval.
    """
    loaded = project.load()
    require_fresh_features(loaded)
    inputs, path = comparison_inputs(loaded), loaded.results / f"{NAME}.parquet"
    cached = vouching.is_fresh(path, inputs)
    if not cached:
        with on_device():
            _compare(loaded, inputs)
    return dg.MaterializeResult(metadata={**_facts(loaded), "cached": cached}, data_version=dg.DataVersion(inputs))


def _compare(project: Project, inputs: str) -> None:
    """Compare, write the report, and the table last."""
    found = compare_encoders(project)
    embedding, today = project.settings.embedding, datetime.now(UTC)
    how = f"{embedding.model}, windows of {embedding.image_size} pixels, pooling {embedding.pooling}."
    sections = encoder_sections(found, how)
    path, page = project.results / f"{NAME}.parquet", project.results / "encoders.html"
    files.write_text(page, html_report("Does pre-training help?", sections, f"{today.day} {today:%B %Y}"))
    beside = [page]
    for name, png in pictures(sections).items():
        beside.append(project.results / f"{NAME}_{name}.png")
        with files.replacing(beside[-1]) as temporary:
            temporary.write_bytes(png)
    stored = {files.INPUTS: inputs, "soc.scheme": found.scheme, **vouch(path, beside)}
    files.write_table(path, found.table, stored)


def _facts(project: Project) -> dict[str, Any]:
    path = project.results / f"{NAME}.parquet"
    table, scheme = files.read_table(path), files.read_metadata(path)["soc.scheme"]
    drawn = {name: project.results / f"{NAME}_{name}.png" for name in ("encoders", "label_fractions")}
    return {
        "verdict": verdict(table, scheme),
        **{name: report.picture(png.read_bytes()) for name, png in drawn.items()},
        "table": report.table(table.round(4)),
        "report": dg.MetadataValue.path(str(project.results / "encoders.html")),
    }
