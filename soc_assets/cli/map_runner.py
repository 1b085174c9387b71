"""Maps from the command line: registering their partitions, and the Dagster runs of what is missing or stale."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from soc_assets.cli import runner
from soc_assets.cli.instance import fail_orphaned_runs, give_pool_its_slots, open_instance
from soc_assets.errors import SettingsError
from soc_assets.mapping.assemble import map_folder, read_map, state_of_map
from soc_assets.mapping.change.changes import change_folder, require_maps, wanted_changes
from soc_assets.mapping.change.files import read_change, state_of_change
from soc_assets.mapping.documents.stac_collection import update_collection
from soc_assets.mapping.documents.write import renew_documents
from soc_assets.mapping.inputs import MapInputs, read_map_inputs
from soc_assets.mapping.layer_files import MapFile
from soc_assets.mapping.registered import Registered
from soc_assets.pipeline.assets import ASSETS, JOB_OF, MAPS
from soc_assets.project import Project

if TYPE_CHECKING:
    from dagster import DagsterInstance

_TILES, _MAP, _CHANGE = MAPS


def run_maps(project: Project, to: str) -> runner.Outcome:
    """The model, and then the maps of the settings' periods and their changes."""
    if to == MAPS[-1] and not project.settings.map.changes:
        raise SettingsError(
            "No changes are set in [map] of soc.toml (changes = [[2015, 2023]]); or `soc map --change 2015 2023`."
        )
    if not project.settings.map.wanted_years:
        raise SettingsError(
            "No years are set in [map] of soc.toml (years = [2020, 2023]), or by `soc map --year 2020`."
        )
    before = runner.run(project, ASSETS[-1])
    if before.failures:
        return before
    inputs = maps_of(project)
    after = make_maps(inputs, to)
    changed = make_changes(inputs) if to == MAPS[-1] and not after.failures else runner.Outcome([], [])
    return runner.Outcome([*before.launched, *after.launched, *changed.launched], [*after.failures, *changed.failures])


def maps_of(project: Project) -> MapInputs:
    """What the maps of the settings' periods are made from."""
    return read_map_inputs(project, registered_of(project))


def registered_of(project: Project) -> Registered:
    """The model of the maps, not loaded."""
    from soc_assets.tracking.registered import describe_registered
    from soc_assets.tracking.store import tracking_of

    return describe_registered(tracking_of(project), project.settings.map.model)


def with_model(inputs: MapInputs) -> MapInputs:
    """The same with the model loaded."""
    from soc_assets.tracking.registered import load_registered
    from soc_assets.tracking.store import tracking_of

    loaded = load_registered(tracking_of(inputs.project), inputs.registered.version)
    return read_map_inputs(inputs.project, loaded, inputs.periods)


def make_changes(inputs: MapInputs) -> runner.Outcome:
    """Map the changes of the settings that are missing or stale.

    Raises:
        MapError: there is no map of one of the periods.
    """
    from soc_assets.defs.partitions import add_changes

    changes = wanted_changes(inputs.project)
    require_maps(inputs, changes)
    due = {str(change) for change in changes if state_of_change(inputs, change) != "fresh"}
    with open_instance() as instance:
        fail_orphaned_runs(instance)
        give_pool_its_slots(instance, inputs.project)
        return _launched(instance, _CHANGE, add_changes(instance, [str(change) for change in changes]), due, longest=1)


def make_maps(inputs: MapInputs, to: str = MAPS[-1]) -> runner.Outcome:
    """Predict the tiles that are missing or stale, and assemble the maps whose files are."""
    from soc_assets.defs.partitions import add_maps

    due = {key for key, state in inputs.states().items() if state != "fresh"}
    with open_instance() as instance:
        fail_orphaned_runs(instance)
        give_pool_its_slots(instance, inputs.project)
        tiles, periods = add_maps(instance, inputs.keys, [str(period) for period in inputs.periods])
        made = _launched(instance, _TILES, tiles, due)
        if made.failures or to == _TILES:
            return made
        due = {str(period) for period in inputs.periods if state_of_map(inputs, period) != "fresh"}
        assembled = _launched(instance, _MAP, periods, due, longest=1)
        return runner.Outcome([*made.launched, *assembled.launched], assembled.failures)


def _launched(
    instance: "DagsterInstance", asset: str, every: list[str], due: set[str], longest: int | None = None
) -> runner.Outcome:
    """Materialise the partitions that are due, at most `longest` neighbours in a run; stops at one that fails."""
    from soc_assets.defs.partitions import contiguous_ranges

    launched: list[str] = []
    for stretch in contiguous_ranges(every, due, longest or len(every)):
        launched.append(JOB_OF[asset])
        if failures := runner.execute(instance, JOB_OF[asset], [asset], runner.between(stretch[0], stretch[-1])):
            return runner.Outcome(launched, failures)
    return runner.Outcome(launched, [])


def renew_maps(inputs: MapInputs) -> None:
    """Bring cards and catalog of the maps up to date: what is known of a model may have grown since."""
    _renew(inputs, [read_map(map_folder(inputs, period)) for period in inputs.periods])


def renew_changes(inputs: MapInputs) -> None:
    """Likewise of the changes."""
    _renew(inputs, [read_change(change_folder(inputs, change)) for change in wanted_changes(inputs.project)])


def _renew(inputs: MapInputs, there: Sequence[MapFile | None]) -> None:
    from soc_assets.tracking.evidence import evidence_of
    from soc_assets.tracking.store import tracking_of

    evidence = evidence_of(inputs.project, tracking_of(inputs.project), inputs.registered)
    for found in filter(None, there):
        renew_documents(found, evidence)
    update_collection(inputs.folder.parent)
