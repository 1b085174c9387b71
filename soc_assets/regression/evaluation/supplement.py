"""Supplementary analyses of an evaluation: learning curve, sources, highest values, the choices of the documented MLP.

They begin when the models are compared, as they look more closely at the best of them. Their own fits are fits like
others: files by digest, in the same processes, resumed and kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.integrity.schemas import TABLES
from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation import highest, learning_curve, network_choices, sources
from soc_assets.regression.evaluation.best import Best, best_recipe
from soc_assets.regression.evaluation.engine import Done, run_fits
from soc_assets.regression.evaluation.fold import FoldFit
from soc_assets.regression.evaluation.plan import fold_of_samples
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.regression.models.fitted import Options
from soc_assets.settings.evaluation import Evaluation

NAMES = ("learning_curve", "source_offsets", "highest_values", "network_choices")
"""The tables, and their files in data/results."""


@dataclass(frozen=True)
class Supplement:
    """Tables by name (`NAMES`; empty where they were not asked for), the fits behind them, and which recipe it was."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    done: tuple[Done, ...] = ()
    words: str = ""

    def __getitem__(self, name: str) -> pd.DataFrame:
        """A table; empty where there is none."""
        return (
            self.tables[name] if name in self.tables else _typed(name, pd.DataFrame(columns=list(TABLES[name].names)))
        )


@dataclass(frozen=True)
class Comparison:
    """What is looked into: samples and features, folds, fits, predictions and scores of an evaluation.

    Attributes:
        design: samples and features.
        table: of all folds: scheme, sample_id, fold.
        folds: of the schemes compared, the fold [n] of each sample.
        done: the fits.
        models: their out-of-fold predictions.
        scores: the long table.
        pooling: of the tokens, from [embedding].
        weights: of the encoder, as text.
    """

    design: Design
    table: pd.DataFrame
    folds: dict[str, np.ndarray]
    done: Sequence[Done]
    models: Sequence[OutOfFold]
    scores: pd.DataFrame
    pooling: str
    weights: str


def make_supplement(found: Comparison, settings: Evaluation, folder: Path, options: Options) -> Supplement:
    """Plan the further fits, run those that are missing, and make the tables.

    Args:
        found: the comparison.
        settings: what is asked for.
        folder: of results.
        options: seed, level, device.
    """
    fold = found.folds[settings.primary]
    named = sources.sources_of(found.design, fold) if settings.source_offsets else []
    best = best_recipe(found.done, found.scores, settings.primary, _needed(settings, fold, named))
    documented = network_choices.documented_recipe(found.done, settings.primary) if settings.network_choices else None
    variants = (
        network_choices.variants_of(documented, settings.inner_folds, found.pooling, found.weights)
        if documented
        else []
    )
    planned: dict[str, list[FoldFit]] = {
        "curve": _curve(best, found, settings),
        "sources": _left_out(best, found, settings, named),
        "network": network_choices.choice_fits(variants, found.done, settings),
    }
    every = [fit for fits in planned.values() for fit in fits]
    done = run_fits(every, found.design, folder, options, settings.workers, kind="supplement")
    parts, first = {}, 0
    for name, fits in planned.items():
        parts[name] = done[first : first + len(fits)]
        first += len(fits)
    return Supplement(
        _tables(best, found, settings, parts, variants, named), _own(done, found), best.words if best else ""
    )


def _needed(settings: Evaluation, fold: np.ndarray, named: Sequence[str]) -> float:
    """How many further fits of the best recipe there would be, in fits of a whole training part."""
    folds = len(np.unique(fold[fold >= 0]))
    return folds * (sum(settings.learning_curve) + bool(settings.learning_curve)) + min(len(named), sources.MOST)


def _curve(best: Best | None, found: Comparison, settings: Evaluation) -> list[FoldFit]:
    if best is None or not settings.learning_curve:
        return []
    return learning_curve.curve_fits(best, found.done, found.design, found.folds, settings)


def _left_out(best: Best | None, found: Comparison, settings: Evaluation, named: Sequence[str]) -> list[FoldFit]:
    cut = sources.LEAVE_OUT in set(found.table["scheme"])
    if best is None or not named or not cut:
        return []
    fold = fold_of_samples(found.table, sources.LEAVE_OUT, found.design)
    return sources.leave_out_fits(best, found.done, found.design, fold, named, settings)


def _tables(
    best: Best | None,
    found: Comparison,
    settings: Evaluation,
    parts: dict[str, list[Done]],
    variants: Sequence[network_choices.Variant],
    named: Sequence[str],
) -> dict[str, pd.DataFrame]:
    made = {"highest_values": highest.highest_values(found.models)}
    if best and parts["curve"]:
        made["learning_curve"] = learning_curve.learning_curve(best, parts["curve"], found.design, settings)
    if best and named:
        key = (settings.primary, best.model, best.features)
        own = [item for item in found.done if (item.fit.scheme, item.fit.model, item.fit.features) == key]
        made["source_offsets"] = sources.source_offsets(best, own, parts["sources"], found.design, settings)
    if variants:
        made["network_choices"] = network_choices.network_choices(
            variants, found.models, parts["network"], found.design, settings
        )
    return {name: _typed(name, table) for name, table in made.items()}


def _typed(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Columns of the types that the schema says, also where all of a column is unknown."""
    types = {"string": "str", "bool": "bool"}
    return table.astype({column.name: types.get(column.type, column.type) for column in TABLES[name]})


def _own(done: Sequence[Done], found: Comparison) -> tuple[Done, ...]:
    """The fits that are not the evaluation's, each once."""
    known = {item.digest for item in found.done}
    return tuple({item.digest: item for item in done if item.digest not in known}.values())
