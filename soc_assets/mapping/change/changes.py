"""Changes between two periods: their names, what they are made from, and the digest of each tile's inputs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from soc_assets.errors import MapError
from soc_assets.mapping.assemble import map_folder, state_of_map
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Period, Place
from soc_assets.mapping.tile_files import TileLayers, read_tile
from soc_assets.mapping.versions import CHANGES
from soc_assets.project import Project
from soc_assets.storage import digest


@dataclass(frozen=True, order=True)
class Change:
    """From one period to a later one: two years, or the same season of both."""

    before: Period
    after: Period

    def __str__(self) -> str:
        return f"{self.before.year}_{self.after}"

    @classmethod
    def of(cls, name: str) -> "Change":
        """The change of a name such as `2015_2023` or `2015_2023_summer`."""
        first, _, rest = name.partition("_")
        after = Period.of(rest)
        return cls(Period(int(first), after.season), after)

    @property
    def periods(self) -> tuple[Period, Period]:
        """Both, the earlier first."""
        return self.before, self.after


def wanted_changes(project: Project) -> tuple[Change, ...]:
    """The changes of [map] in the settings."""
    settings = project.settings.map
    pairs = sorted({(before, after) for before, after in settings.changes})
    return tuple(Change(Period(before, settings.season), Period(after, settings.season)) for before, after in pairs)


def periods_of(changes: Sequence[Change]) -> list[Period]:
    """All periods of some changes."""
    return sorted({period for change in changes for period in change.periods})


def change_folder(inputs: MapInputs, change: Change) -> Path:
    """The folder of a change, beside those of the maps."""
    return inputs.folder / f"change_{change}"


def tile_path(inputs: MapInputs, change: Change, place: Place) -> Path:
    """The file of a tile of a change."""
    return inputs.tile_path(f"change_{change}_{place}")


def tile_inputs(inputs: MapInputs, change: Change, place: Place) -> str:
    """Digest of all that decides a tile: the same tile of both maps, and the level of the interval."""
    tiles = [inputs.tile_inputs(period, place) for period in change.periods]
    return digest.of_inputs(CHANGES, tiles, inputs.project.settings.evaluation.level)


def change_inputs(inputs: MapInputs, change: Change) -> str:
    """Digest of all that decides the files of a change."""
    tiles = [tile_inputs(inputs, change, place) for place in inputs.places]
    return digest.of_inputs(CHANGES, tiles, inputs.project.settings.map.dtype)


def require_maps(inputs: MapInputs, changes: Sequence[Change]) -> None:
    """Refuse changes between periods of which there is no map, or one of other inputs than the present ones.

    Raises:
        MapError: so it is; the message has the command that makes the maps.
    """
    lacking = [(period, state_of_map(inputs, period)) for period in periods_of(changes)]
    if lacking := [(period, state) for period, state in lacking if state != "fresh"]:
        found = " and ".join(f"{period} ({state})" for period, state in lacking)
        raise MapError(
            f"A change needs up-to-date maps of both periods by the model {inputs.registered.uri}, and lacks that of "
            f"{found}: run `{_command(inputs, [period for period, _ in lacking])}` first."
        )


def _command(inputs: MapInputs, periods: Sequence[Period]) -> str:
    """What makes the maps of periods as these inputs have them."""
    model, season, step = inputs.project.settings.map.model, periods[0].season, inputs.lattice.step
    options = [f"--year {period.year}" for period in periods]
    options += [f"--season {season}"] if season else []
    options += [f"--version {model}"] if model else []
    options += [f"--step {step}"] if step > 1 else []
    return " ".join(["soc map", *options])


def read_both(inputs: MapInputs, change: Change, place: Place) -> Iterator[TileLayers]:
    """The same tile of both maps.

    Raises:
        MapError: one is missing, damaged or made from other inputs.
    """
    for period in change.periods:
        key = f"{period}_{place}"
        tile = read_tile(inputs.tile_path(key), inputs.tile_inputs(period, place))
        if tile is None:
            raise MapError(
                f"The tile {key} of the map {map_folder(inputs, period)} is missing, damaged or made from other "
                f"inputs: `{_command(inputs, [period])}` computes it again."
            )
        yield tile
