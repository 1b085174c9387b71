"""Which outputs are missing, stale or fresh: the digest stored with each, against that of its inputs computed now.

What decides an output's content is in the `inputs` of each stage; here it is only compared. Nothing is computed, and
nothing is written except the record of rasters read because their stamps are new.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from soc_assets.embedding.inputs import known_embeddings
from soc_assets.errors import SocError
from soc_assets.features.inputs import built_here, features_inputs
from soc_assets.ingest.inputs import catalog_inputs, soil_inputs
from soc_assets.integrity.tables import complete
from soc_assets.pipeline.assets import AFTER, ASSETS, MAPS, RESULT_INPUTS
from soc_assets.project import Project
from soc_assets.regression.inputs import model_inputs
from soc_assets.sampling.inputs import sampling_inputs
from soc_assets.storage import files
from soc_assets.storage.files import INPUTS
from soc_assets.storage.one_look import one_look
from soc_assets.storage.vouching import is_fresh

if TYPE_CHECKING:
    from soc_assets.mapping.inputs import MapInputs
    from soc_assets.mapping.registered import Registered


@dataclass(frozen=True)
class Freshness:
    """State of one asset: missing, stale or fresh; of what has partitions also how many are done."""

    asset: str
    state: str
    done: int = 1
    total: int = 1

    @property
    def fresh(self) -> bool:
        """Whether there is nothing to do."""
        return self.state == "fresh"


@one_look()
def assess(project: Project, trained: Callable[[str], str] | None = None, to: str = ASSETS[-1]) -> list[Freshness]:
    """State of every asset up to one, in order; what depends on something stale or missing is not fresh either.

    Args:
        project: settings and paths.
        trained: says the model's state, given the digest of its inputs; None counts it as missing.
        to: the last asset wanted; nothing is asked about later ones.
    """
    tables = {
        "raster_catalog": (project.catalog, catalog_inputs),
        "soil_samples": (project.samples("samples"), soil_inputs),
        "balanced_samples": (project.samples("balanced"), sampling_inputs),
    }
    wanted = ASSETS[: ASSETS.index(to) + 1]
    result = [_table(project, name, *tables[name]) for name in wanted if name in tables]
    if len(wanted) > len(tables):
        result += _rest(project, trained if to == ASSETS[-1] else None)[: len(wanted) - len(tables)]
    for index, item in enumerate(result[1:], start=1):
        if item.fresh and not result[index - 1].fresh:
            result[index] = Freshness(item.asset, "stale", item.done, item.total)
    return result


@one_look()
def assess_results(project: Project, states: list[Freshness] | None = None) -> list[Freshness]:
    """State of what is made on request; where what it reads (features, or the catalog) is not fresh, stale or missing.

    Args:
        project: settings and paths.
        states: of the other assets, where they are known.
    """
    ready = {item.asset for item in states or assess(project, to="features") if item.fresh}
    results = []
    for asset, inputs in RESULT_INPUTS.items():
        path = project.results / f"{asset}.parquet"
        fresh = AFTER[asset] in ready and path.is_file() and is_fresh(path, inputs(project))
        results.append(Freshness(asset, "fresh" if fresh else "stale" if path.is_file() else "missing"))
    return results


@one_look()
def assess_maps(project: Project, registered: "Callable[[], Registered]") -> list[Freshness]:
    """State of the maps of [map] years: how many tiles and periods are done; nothing where none are wanted.

    Args:
        project: settings and paths.
        registered: gives the model of the maps, which need not be loaded; asked only where maps are wanted.
    """
    if not project.settings.map.wanted_years:
        return []
    from soc_assets.mapping.inputs import read_map_inputs  # not loaded where no maps are wanted

    try:
        inputs = read_map_inputs(project, registered())
    except SocError:
        return [Freshness(name, "missing", 0, 0) for name in (MAPS if project.settings.map.changes else MAPS[:-1])]
    return maps_freshness(inputs)


def maps_freshness(inputs: "MapInputs") -> list[Freshness]:
    """State of tiles, maps and, where there are any, changes, with how many of them are done."""
    from soc_assets.mapping.assemble import state_of_map
    from soc_assets.mapping.change.changes import wanted_changes
    from soc_assets.mapping.change.files import state_of_change

    tiles = list(inputs.states().values())
    maps = [state_of_map(inputs, period) for period in inputs.periods]
    changes = [state_of_change(inputs, change) for change in wanted_changes(inputs.project)]
    return [
        Freshness(name, _of_all(states), states.count("fresh"), len(states))
        for name, states in zip(MAPS, (tiles, maps, changes), strict=True)
        if states
    ]


def _of_all(states: list[str]) -> str:
    if states.count("fresh") == len(states):
        return "fresh"
    return "missing" if set(states) == {"missing"} else "stale"


def _rest(project: Project, trained: Callable[[str], str] | None) -> list[Freshness]:
    embeddings = known_embeddings(project)
    if embeddings is None:  # of an unknown number of batches
        state = "stale" if next(project.embeddings.glob("[!.]*/batch_*.parquet"), None) else "missing"
        return [Freshness("embeddings", state, 0, 0), *(Freshness(name, "missing") for name in ASSETS[4:])]
    footers = embeddings.footers()
    states = list(embeddings.states(footers).values())
    done = states.count("fresh")
    built, wanted = built_here(project), features_inputs(project, embeddings, footers)
    features = "missing" if not built else "fresh" if built == wanted else "stale"
    model = "missing" if features == "missing" or not trained else trained(model_inputs(project))
    return [
        Freshness("embeddings", _of_all(states), done, len(states)),
        Freshness("features", features),
        Freshness("mlp_model", model),
    ]


def _table(project: Project, asset: str, path: Path, inputs: Callable[[Project], str]) -> Freshness:
    """State of tables; missing inputs are reported by the asset, not by the status."""
    if not path.is_file():
        return Freshness(asset, "missing")
    try:
        fresh = complete(project, asset) and files.read_metadata(path).get(INPUTS) == inputs(project)
    except SocError:
        fresh = False
    return Freshness(asset, "fresh" if fresh else "stale")
