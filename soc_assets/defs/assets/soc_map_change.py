"""The asset `soc_map_change`: how predicted organic carbon differs between two periods, and how certain that is."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from soc_assets.defs.assets.mapping import concluded, soc_map
from soc_assets.defs.execution import AFTER_A_CRASH, POOL, on_device, tags_of_step
from soc_assets.defs.partitions import MAP_CHANGE
from soc_assets.defs.reporting import reporting_as
from soc_assets.defs.resources import ProjectResource
from soc_assets.defs.ui import checks, report, tables
from soc_assets.mapping.change.changes import Change, change_folder, periods_of, require_maps
from soc_assets.mapping.change.files import assemble_change, read_change, state_of_change
from soc_assets.mapping.change.paired import paired_for
from soc_assets.mapping.change.tiles import write_change_tiles
from soc_assets.mapping.check import CHANGE_CHECKS, check_change
from soc_assets.mapping.documents.change_card import change_card
from soc_assets.mapping.documents.evidence import Evidence
from soc_assets.mapping.documents.stac_collection import update_collection
from soc_assets.mapping.documents.write import renew_documents
from soc_assets.mapping.inputs import MapInputs, read_map_inputs
from soc_assets.mapping.layer_files import MapFile
from soc_assets.mapping.plots import picture_of_change
from soc_assets.pipeline.assets import VERSIONS
from soc_assets.tracking.evidence import evidence_of
from soc_assets.tracking.registered import load_registered
from soc_assets.tracking.store import tracking_of


@dg.asset(
    deps=[dg.AssetDep(soc_map, partition_mapping=dg.AllPartitionMapping())],
    partitions_def=MAP_CHANGE,
    group_name="mapping",
    kinds={"pytorch", "geotiff"},
    code_version=VERSIONS["soc_map_change"],
    owners=tables.OWNERS,
    pool=POOL,
    op_tags=tags_of_step(on_device=True),
    retry_policy=AFTER_A_CRASH,
    check_specs=checks.CHANGE_SPECS,
)
def soc_map_change(context: dg.AssetExecutionContext, project: ProjectResource) -> Iterator[Any]:
    """The change of predicted organic carbon between two periods, later minus earlier, with its interval.

    - **Reads** the tiles of both maps, and for the interval the model and the rasters: what each member of the model
      says of both periods, cell by cell.
    - **Writes** `data/maps/<model digest>/change_2015_2023/`: Cloud Optimized GeoTIFFs of the change, the ends of its
      interval (g/kg), whether it is more than the uncertainty, and quality; `change.json`, which says what made them,
      the card `card.md` and the STAC item `item.json`; brings `data/maps/collection.json` up to date.
    - **Decided by** [map] in soc.toml, and [evaluation] level.

    A static training set cannot prove change: no place was sampled twice. Both maps have to be there. Finished tiles
    are kept.
    """
    loaded = project.load()
    findings, metadata_of = [], {}
    with reporting_as("soc_map_change", context), on_device():
        tracking = tracking_of(loaded)
        registered = load_registered(tracking, loaded.settings.map.model)
        evidence = evidence_of(loaded, tracking, registered)
        changes = [Change.of(key) for key in context.partition_keys]
        inputs = read_map_inputs(loaded, registered, periods_of(changes))
        require_maps(inputs, changes)
        for change in changes:
            made, outcomes = _made(inputs, change, evidence)
            findings += check_change(str(made.folder), made.facts)
            metadata_of[str(change)] = {**_change_facts(made, evidence), "tiles": outcomes, "cached": not outcomes}
        update_collection(inputs.folder.parent)
    yield from concluded(context, CHANGE_CHECKS, findings, metadata_of)


def _made(inputs: MapInputs, change: Change, evidence: Evidence) -> tuple[MapFile, dict[str, int]]:
    """The files of a change, and how many tiles were computed or cached for them; none where they were fresh."""
    there = read_change(change_folder(inputs, change)) if state_of_change(inputs, change) == "fresh" else None
    if there is not None:
        renew_documents(there, evidence)
        return there, {}
    paired = paired_for(inputs)
    outcomes = list(write_change_tiles(inputs, change, paired))
    made = assemble_change(inputs, change, paired.ensemble.members if paired else 0, evidence)
    return made, {name: outcomes.count(name) for name in ("computed", "cached")}


def _change_facts(made: MapFile, evidence: Evidence) -> dict[str, Any]:
    """Metadata of one change."""
    facts = made.facts
    words = f"Change of organic carbon, {facts['after']} minus {facts['before']}. {facts['caution']}"
    return {
        "change": report.picture(picture_of_change(made.folder, facts), words),
        "change_card": dg.MetadataValue.md(change_card(facts, evidence)),
        "model": facts["uri"],
        "recipe": facts["recipe"],
        "members": facts["members"],
        "statistics": facts["statistics"],
        "cells_by_class": {facts["classes"][number]: cells for number, cells in facts["counts"].items()},
        "beyond_uncertainty": {
            facts["beyond_uncertainty_classes"][number]: cells for number, cells in facts["beyond_uncertainty"].items()
        },
        "digest": facts["digest"],
        "folder": dg.MetadataValue.path(str(made.folder)),
        **report.uri(made.folder),
    }
