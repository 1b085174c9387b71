"""The interval of a difference between two periods, from the paired ensemble: what each member says of both.

Member k gives d_k = g(f_k(after)) - g(f_k(before)) in g/kg, at the same cell, with the model's own back-transform g.
The interval reaches t * sqrt(1 + 1 / S) * s to both sides of the difference of the predictions: s is the standard
deviation of the d_k, t the quantile of Student's distribution with S - 1 degrees of freedom. That is where one more
member, fitted like the others, would lie, with the probability `level`. What both periods share cancels within each
member, as it does not between two intervals; why this and nothing else is in docs/decisions/change.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from soc_assets.mapping.change.changes import Change
from soc_assets.mapping.engine.blocks import Engine
from soc_assets.mapping.engine.engines import engine_for
from soc_assets.mapping.engine.ensemble import Ensemble, ensemble_of
from soc_assets.mapping.inputs import MapInputs, read_map_inputs
from soc_assets.mapping.lattice import Cells, Place
from soc_assets.mapping.predictions import NUMBERS, Predictions

HalfWidths = Callable[[Cells], np.ndarray]


@dataclass(frozen=True)
class Paired:
    """Computes half widths of intervals, g/kg.

    Attributes:
        ensemble: the members.
        engine: predicts their columns.
        level: of the interval.
    """

    ensemble: Ensemble
    engine: Engine
    level: float

    def open(self, change: Change, place: Place) -> HalfWidths:
        """What computes the half widths [n] of the cells of a block; NaN where a member has no value."""
        before, after = (self.engine.open(period, place) for period in change.periods)
        to_carbon, level = self.ensemble.to_carbon, self.level
        return lambda cells: half_widths(self._members(before(cells)), self._members(after(cells)), to_carbon, level)

    def _members(self, found: Predictions) -> np.ndarray:
        """Transformed targets [n, S]."""
        members = np.full((len(found.numbers), self.ensemble.members), np.nan)
        given = found.numbers[:, len(NUMBERS) :]
        members[:, : given.shape[1]] = given
        return members


def paired_for(inputs: MapInputs) -> Paired | None:
    """The paired ensemble of a model; None where it has no members, or one: what it would disagree about is unknown.

    Args:
        inputs: with the loaded model.
    """
    ensemble = ensemble_of(inputs.registered.model)
    if ensemble is None:
        return None
    shown = read_map_inputs(inputs.project, replace(inputs.registered, model=ensemble), inputs.periods)
    return Paired(ensemble, engine_for(shown), inputs.project.settings.evaluation.level)


def half_widths(
    before: np.ndarray, after: np.ndarray, to_carbon: Callable[[np.ndarray], np.ndarray], level: float
) -> np.ndarray:
    """Half widths [n] of the intervals of differences, g/kg.

    Args:
        before: transformed targets of the members [n, S] at the earlier period.
        after: at the later one.
        to_carbon: the back-transform [m] to [m].
        level: of the interval.
    """
    from scipy.stats import t

    members = before.shape[1]
    difference = np.where(np.isnan(before) | np.isnan(after), np.nan, 0.0)
    moved = (before != after) & np.isfinite(difference)
    difference[moved] = to_carbon(after[moved]) - to_carbon(before[moved])
    quantile = t.ppf((1 + level) / 2, members - 1) * np.sqrt(1 + 1 / members)
    return quantile * difference.std(axis=1, ddof=1)
