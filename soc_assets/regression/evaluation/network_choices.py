"""What each choice of the documented network costs: variants that change one of them, on the same folds.

The documented MLP predicts raw organic carbon from means of tokens (19,968 numbers with the default bands) through
512-256-1, by Adam without weight decay, stopped early by one split. Each variant is the same network with one choice
changed; its R2 minus that of the documented one is paired. The network is dear, so that a few folds have to do. Beside
them stand the models by current practice, which change most of the choices, where the evaluation has them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from soc_assets.integrity.schemas.results import NETWORK_CHOICES
from soc_assets.regression.bootstrap_units import units_of
from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation.bootstrap import Draws, intervals, paired_difference
from soc_assets.regression.evaluation.engine import Done
from soc_assets.regression.evaluation.fold import FoldFit
from soc_assets.regression.evaluation.scoring import OutOfFold, out_of_fold
from soc_assets.regression.metrics import scores
from soc_assets.regression.models.recipes import DOCUMENTED, NAMED
from soc_assets.regression.words import fit_words
from soc_assets.settings.evaluation import Evaluation, Recipe

DECAY = NAMED["mlp"].weight_decay
"""Weight decay of the variant: that of the MLP by current practice."""


@dataclass(frozen=True)
class Variant:
    """A choice, what is documented, what it is changed to, and the recipes that are fitted for it.

    No recipe where none can change it; with several, their predictions and those of the documented MLP are averaged.
    """

    choice: str
    documented: str
    instead: str
    recipes: tuple[Recipe, ...] = ()


def variants_of(documented: Recipe, inner_folds: int, pooling: str, weights: str) -> list[Variant]:
    """The choices of the documented MLP that can be changed one at a time, in order.

    Args:
        documented: the recipe of the documented MLP, with its features.
        inner_folds: networks of the ensemble.
        pooling: of the tokens, from [embedding].
        weights: of the encoder, `random (seed 42)` or `pretrained (sha256 ...)`.
    """

    def changed(what: str, **fields: object) -> Recipe:
        return documented.model_copy(update={"name": f"{documented.name}, other {what}", **fields})

    splits = tuple(changed(f"split {number}", validation_fold=number) for number in range(1, inner_folds))
    found = [
        Variant("target", "organic carbon in g/kg", "log1p, back by smearing", (changed("target", target="log1p"),)),
        Variant("weight decay", "none (Adam)", f"{DECAY:g} (AdamW)", (changed("weight decay", decay=DECAY),)),
        Variant("split", "one network", f"{inner_folds} networks averaged", splits),
    ]
    if "embedding" not in documented.features:
        return found
    pooled, points = f"embeddings, tokens pooled by {pooling}", changed("features", features="point")
    found.append(Variant("features", pooled, "point values, no encoder", (points,)))
    if weights.startswith("pretrained"):
        return found
    return [*found, Variant("weights of the encoder", weights or "random", "pretrained: needs a checkpoint")]


def choice_fits(variants: Sequence[Variant], done: Sequence[Done], at: Evaluation) -> list[FoldFit]:
    """The fits of the variants: on the rows of those of the documented MLP, in as many folds as the settings say."""
    return [
        FoldFit(at.primary, fit.number, recipe.name, (recipe,), fit.train, fit.inner, fit.test)
        for fit in (item.fit for item in _documented(done, at.primary)[: at.network_choices])
        for found in variants
        for recipe in found.recipes
    ]


def network_choices(
    variants: Sequence[Variant], models: Sequence[OutOfFold], done: Sequence[Done], design: Design, at: Evaluation
) -> pd.DataFrame:
    """The documented MLP, its variants, and the MLPs by current practice: scores and paired differences.

    Args:
        variants: of `variants_of`.
        models: out-of-fold predictions of the evaluation.
        done: the fits of `choice_fits`.
        design: gives location and block of each sample.
        at: the settings.

    Returns:
        The columns of `NETWORK_CHOICES`, all on the samples of the same folds; no row where the documented MLP was not
        compared, or one of its folds failed.
    """
    found = [each for each in models if (each.scheme, each.model) == (at.primary, DOCUMENTED.name)]
    numbers = sorted({item.fit.number for item in done})
    if not found or found[0].failed or not numbers:
        return pd.DataFrame(columns=list(NETWORK_CHOICES.names))
    documented = _in_folds(found[0], numbers)
    fitted = {each.model: each for each in out_of_fold(done)}
    rows = [("as documented", "", "", documented)]
    rows += [
        (each.choice, each.documented, each.instead, _averaged(documented, [fitted[r.name] for r in each.recipes]))
        for each in variants
    ]
    rows += [
        ("current practice", "", fit_words("mlp", each.features), _in_folds(each, numbers))
        for each in models
        if (each.scheme, each.model) == (at.primary, "mlp")
    ]
    known = design.samples.set_index("sample_id")
    units, unit = units_of(at.primary, known.loc[documented.rows["sample_id"]])
    draws = Draws.of(units, at.seed, at.draws)
    first = {"scheme": at.primary, "folds": len(numbers), "unit": unit}
    lines = [
        first | {"choice": choice, "documented": before, "instead": after} | _scored(each, documented, draws)
        for choice, before, after, each in rows
    ]
    return pd.DataFrame(lines, columns=list(NETWORK_CHOICES.names))


def documented_recipe(done: Sequence[Done], primary: str) -> Recipe | None:
    """The recipe of the documented MLP where the evaluation has it."""
    return next((item.fit.recipes[0] for item in _documented(done, primary)), None)


def _documented(done: Sequence[Done], primary: str) -> list[Done]:
    """The fits of the documented MLP, by fold."""
    found = [item for item in done if (item.fit.scheme, item.fit.model) == (primary, DOCUMENTED.name)]
    return sorted(found, key=lambda item: item.fit.number)


def _in_folds(found: OutOfFold, numbers: Sequence[int]) -> OutOfFold:
    """The predictions for the test parts of some folds."""
    if found.rows.empty:
        return found
    return replace(found, rows=found.rows[found.rows["fold"].isin(numbers)].reset_index(drop=True))


def _averaged(documented: OutOfFold, fitted: Sequence[OutOfFold]) -> OutOfFold | None:
    """What was fitted for a variant; several networks are averaged with the documented one, which they supplement."""
    if len(fitted) < 2:
        return fitted[0] if fitted else None
    failed, seconds = sum(each.failed for each in fitted), sum(each.seconds for each in fitted)
    rows = documented.rows
    if not failed:
        every = [rows, *(each.rows for each in fitted)]
        rows = rows.assign(predicted=np.mean([each["predicted"].to_numpy(float) for each in every], axis=0))
    name = f"{documented.model}, {len(fitted) + 1} splits"
    return replace(documented, model=name, rows=rows, failed=failed, seconds=seconds)


def _scored(found: OutOfFold | None, documented: OutOfFold, draws: Draws) -> dict[str, object]:
    """R2 with its interval, RMSE, and the paired difference of R2 from the documented MLP."""
    if found is None:
        return {"n": 0, "failed": 0}
    line: dict[str, object] = {"model": found.model, "features": found.features, "failed": found.failed}
    line |= {"n": len(found.rows), "seconds": found.seconds}
    if found.failed or len(found.rows) != len(documented.rows):
        return line
    y, p = (found.rows[name].to_numpy(float) for name in ("observed", "predicted"))
    low, high = intervals(y, p, draws)["r2"]
    values = scores(y, p)
    line |= {"r2": values.r2, "r2_low": float(low), "r2_high": float(high), "rmse": values.rmse, "bias": values.bias}
    if found is documented:
        return line
    by = paired_difference(y, p, documented.rows["predicted"].to_numpy(float), draws)
    return line | {"difference": by.value, "difference_low": by.low, "difference_high": by.high}
