"""The assets `map_tiles` and `soc_map`: organic carbon everywhere, tile by tile, and the files of a period."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from soc_assets.defs.assets.regression import mlp_model
from soc_assets.defs.automation.backfill import words_of
from soc_assets.defs.execution import AFTER_A_CRASH, POOL, on_device, tags_of_step
from soc_assets.defs.partitions import MAP_PERIOD, MAP_TILE
from soc_assets.defs.reporting import reporting_as
from soc_assets.defs.resources import ProjectResource
from soc_assets.defs.ui import checks, report, tables
from soc_assets.mapping.assemble import assemble, map_folder, read_map, state_of_map
from soc_assets.mapping.check import CHECKS, check_map
from soc_assets.mapping.documents.card import map_card
from soc_assets.mapping.documents.evidence import Evidence
from soc_assets.mapping.documents.stac_collection import update_collection
from soc_assets.mapping.documents.write import renew_documents
from soc_assets.mapping.engine.engines import engine_for
from soc_assets.mapping.fitting import require_fitting_model
from soc_assets.mapping.inputs import MapInputs, read_map_inputs
from soc_assets.mapping.lattice import Period, of_key
from soc_assets.mapping.layer_files import MapFile
from soc_assets.mapping.plots import picture_of_map
from soc_assets.mapping.tiles import Tiled, write_tiles
from soc_assets.pipeline.assets import VERSIONS
from soc_assets.project import Project
from soc_assets.reporting.findings import Finding, errors
from soc_assets.tracking.evidence import evidence_of
from soc_assets.tracking.registered import describe_registered, load_registered
from soc_assets.tracking.store import tracking_of


@dg.asset(
    deps=[mlp_model, "raster_catalog"],
    partitions_def=MAP_TILE,
    group_name="mapping",
    kinds={"pytorch", "numpy"},
    code_version=VERSIONS["map_tiles"],
    owners=tables.OWNERS,
    pool=POOL,
    op_tags=tags_of_step(on_device=True),
    retry_policy=AFTER_A_CRASH,
)
def map_tiles(context: dg.AssetExecutionContext, project: ProjectResource) -> Iterator[Any]:
    """Predictions of a tile of the map: 512 x 512 pixels of the reference grid in one year or season.

    - **Reads** the rasters around each cell, as the model's samples did, and the registered model ([map] model, else
      the champion, else the newest).
    - **Writes** `data/maps/<model digest>/tiles/<period>_r0003_c0012.npz`: organic carbon, both ends of its interval,
      dissimilarity and the class of quality.
    - **Decided by** [map] in soc.toml: region, step and masks. `tile`, `outputs` and `dtype` change no number.

    A tile whose model and rasters have not changed is not computed again (`cached`). `soc map` and the schedule
    `nightly_map` register the partitions.
    """
    loaded = project.load()
    keys = list(context.partition_keys)
    with reporting_as("map_tiles", context), on_device():
        registered = load_registered(tracking_of(loaded), loaded.settings.map.model)
        inputs = read_map_inputs(loaded, registered, [of_key(key)[0] for key in keys])
        require_fitting_model(inputs)
        context.log.info(f"{words_of(keys)} by {registered.uri}")
        for tiled in write_tiles(inputs, keys, engine_for(inputs)):
            context.add_asset_metadata(_facts(inputs, tiled), asset_key=context.asset_key, partition_key=tiled.key)
    yield dg.MaterializeResult()


@dg.asset(
    deps=[dg.AssetDep(map_tiles, partition_mapping=dg.AllPartitionMapping())],
    partitions_def=MAP_PERIOD,
    group_name="mapping",
    kinds={"geotiff"},
    code_version=VERSIONS["soc_map"],
    owners=tables.OWNERS,
    op_tags=tags_of_step(on_device=False),
    check_specs=checks.MAP_SPECS,
)
def soc_map(context: dg.AssetExecutionContext, project: ProjectResource) -> Iterator[Any]:
    """The map of a year or season: organic carbon with its interval, and where it may be believed.

    - **Reads** the tiles of the period.
    - **Writes** `data/maps/<model digest>/<period>/`: Cloud Optimized GeoTIFFs of organic carbon, lower and upper end
      (g/kg), dissimilarity and quality, `map.json`, which says what made them, the card `card.md` and the STAC item
      `item.json`; brings `data/maps/collection.json` up to date.
    - **Decided by** [map] in soc.toml: `outputs` and `dtype`.

    The folder appears whole: readers never see half a map.
    """
    loaded = project.on_cpu()
    findings, metadata_of = [], {}
    with reporting_as("soc_map", context):
        tracking = tracking_of(loaded)
        registered = describe_registered(tracking, loaded.settings.map.model)
        evidence = evidence_of(loaded, tracking, registered)
        periods = [Period.of(key) for key in context.partition_keys]
        inputs = read_map_inputs(loaded, registered, periods)
        for period in periods:
            made, cached = _made(inputs, period, evidence)
            findings += check_map(str(made.folder), made.facts)
            metadata_of[str(period)] = {**_map_facts(made, evidence), "cached": cached}
        update_collection(inputs.folder.parent)
    yield from concluded(context, CHECKS, findings, metadata_of)


def concluded(
    context: dg.AssetExecutionContext,
    names: Sequence[str],
    findings: list[Finding],
    metadata_of: dict[str, dict[str, Any]],
) -> Iterator[Any]:
    """The checks of an asset of several partitions and, where none found an error, the metadata of each of these."""
    results = checks.finding_results(findings, names)
    if grave := errors(findings):
        yield from checks.evaluations(results, context.asset_key)
        raise dg.Failure("\n".join(finding.words for finding in grave), allow_retries=False)
    for key, metadata in metadata_of.items():
        context.add_asset_metadata(metadata, asset_key=context.asset_key, partition_key=key)
    yield dg.MaterializeResult(check_results=results)


def _made(inputs: MapInputs, period: Period, evidence: Evidence) -> tuple[MapFile, bool]:
    """The map of a period, and whether it was there already."""
    there = read_map(map_folder(inputs, period)) if state_of_map(inputs, period) == "fresh" else None
    if there is None:
        return assemble(inputs, period, evidence), False
    renew_documents(there, evidence)
    return there, True


def _facts(inputs: MapInputs, tiled: Tiled) -> dict[str, Any]:
    """Metadata of one tile."""
    return {
        "outcome": tiled.outcome,
        "cached": tiled.outcome == "cached",
        "cells": sum(tiled.counts.values()),
        "mean_g_kg": round(tiled.mean, 3),
        "seconds": round(tiled.seconds, 3),
        "cells_by_class": {str(number): cells for number, cells in tiled.counts.items()},
        "inputs": tiled.inputs,
        "model": inputs.registered.uri,
        "file": dg.MetadataValue.path(str(inputs.tile_path(tiled.key))),
    }


def _map_facts(made: MapFile, evidence: Evidence) -> dict[str, Any]:
    """Metadata of one map."""
    facts = made.facts
    return {
        "map": report.picture(picture_of_map(made.folder, facts), f"Organic carbon, {facts['period']}."),
        "map_card": dg.MetadataValue.md(map_card(facts, evidence)),
        "model": facts["uri"],
        "recipe": facts["recipe"],
        "weights": facts["weights"],
        "statistics": facts["statistics"],
        "cells_by_class": {facts["classes"][number]: cells for number, cells in facts["counts"].items()},
        "digest": facts["digest"],
        "folder": dg.MetadataValue.path(str(made.folder)),
        **report.uri(made.folder),
    }


def maps_of(project: Project) -> MapInputs:
    """The maps of the settings' periods by the model that they name, to ask for their freshness."""
    return read_map_inputs(project, describe_registered(tracking_of(project), project.settings.map.model))
