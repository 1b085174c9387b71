"""What the results of a report are made from, and the questions that several of its sections ask of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation.ceiling import Ceiling
from soc_assets.regression.evaluation.engine import Done
from soc_assets.regression.evaluation.leaderboard import Verdict, compare_models, leaderboard
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.regression.words import fit_words


@dataclass(frozen=True)
class Results:
    """Results of an evaluation.

    Attributes:
        design: samples.
        models: out-of-fold predictions.
        done: the fits.
        table: the long table of scores.
        verdicts: by scheme, the primary one first.
        area: [m, 2] places to predict, metres.
        level: share of samples that prediction intervals should cover.
        draws: of the bootstrap.
        seed: of the bootstrap.
        ceiling: of R2; None where it was not looked for.
        labels: of bands, by their names, for people.
        next_model: which recipe to train, as a sentence; "" where it was not looked for.
    """

    design: Design
    models: list[OutOfFold]
    done: list[Done]
    table: pd.DataFrame
    verdicts: Mapping[str, Verdict]
    area: np.ndarray
    level: float
    draws: int
    seed: int
    ceiling: Ceiling | None = None
    next_model: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def primary(self) -> str:
        """The scheme that decides."""
        return next(iter(self.verdicts))

    def board(self, scheme: str) -> pd.DataFrame:
        """The leaderboard of a scheme; models with a failed fold come last, without a score."""
        return leaderboard(self.table, scheme)

    def best(self, scheme: str | None = None) -> OutOfFold | None:
        """The model of the highest R2 under a scheme (the primary one by default), baseline or not."""
        scheme = scheme or self.primary
        return best_of(self.models, self.table, scheme)

    def shown(self) -> list[OutOfFold]:
        """The best model that is no baseline and the best baseline, under the primary scheme."""
        verdict = self.verdicts[self.primary]
        return [found for found in (verdict.best, verdict.baseline) if found is not None]

    def whole(self) -> Iterator[OutOfFold]:
        """The first model of each scheme that has predictions for every sample of its folds."""
        seen = set()
        for found in self.models:
            if not found.failed and not found.rows.empty and found.scheme not in seen:
                seen.add(found.scheme)
                yield found

    def placed(self, found: OutOfFold) -> pd.DataFrame:
        """Its predictions with the places of the samples."""
        columns = ["sample_id", "longitude", "latitude", "x", "y", "location_id"]
        return found.rows.merge(self.design.samples[columns], on="sample_id")

    def differences(self, scheme: str) -> pd.DataFrame:
        """R2 of every other model minus that of the best: model, features, value, low, high; paired draws."""
        best, rows = self.best(scheme), []
        for found in self.models if best else ():
            if best and found.scheme == scheme and not found.failed and found.key != best.key:
                other = compare_models(found, best, self.design, self.draws, self.seed)
                rows.append((found.model, found.features, other.value, other.low, other.high))
        return pd.DataFrame(rows, columns=["model", "features", "value", "low", "high"])


def best_of(models: list[OutOfFold], table: pd.DataFrame, scheme: str) -> OutOfFold | None:
    """The model of the highest R2 under a scheme, baseline or not; None where none has a score."""
    by_key = {found.key: found for found in models if not found.failed}
    board = leaderboard(table, scheme).dropna(subset=["r2"])
    keys = ((scheme, model, features) for model, features in board[["model", "features"]].itertuples(index=False))
    return next((by_key[key] for key in keys if key in by_key), None)


def name_of(found: OutOfFold) -> str:
    """A model in words."""
    return fit_words(found.model, found.features)
