"""What each choice of the documented network costs: variants that change one of them, on the same folds.

The documented MLP predicts raw organic carbon from means of tokens (19,968 numbers with the default bands) through
512-256-1, by Adam without weight decay, stopped early by one split. Each variant is the same network with one choice
changed; its R2 minus that of the documented one is paired. Beside them stand the models by current practice, which
change all of them, where the evaluation has them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
from soc_assets.settings.evaluation import Evaluation, Recipe

DECAY = NAMED["mlp"].weight_decay
"""Weight decay of the variant: that of the MLP by current practice."""


@dataclass(frozen=True)
class Variant:
    """A choice, what is documented, what it is changed to, and the recipe; None where no recipe can change it."""

    choice: str
    documented: str
    instead: str
    recipe: Recipe | None


def variants_of(documented: Recipe, inner_folds: int, pooling: str, weights: str) -> list[Variant]:
    """The choices of the documented MLP that can be changed one at a time, in order.

    Args:
        documented: the recipe of the documented MLP, with its features.
        inner_folds: networks of the ensemble.
        pooling: of the tokens, from [embedding].
        weights: of the encoder, `random (seed 42)` or `pretrained (sha256 ...)`.
    """
    found = [
        _variant(documented, "target", "organic carbon in g/kg", "log1p, back by smearing", {"target": "log1p"}),
        _variant(documented, "weight decay", "none (Adam)", f"{DECAY:g} (AdamW)", {"decay": DECAY}),
        _variant(documented, "split", "one network", f"{inner_folds} networks averaged", {"splits": inner_folds}),
    ]
    if "embedding" not in documented.features:
        return found
    pooled = f"embeddings, tokens pooled by {pooling}"
    found.append(_variant(documented, "features", pooled, "point values, no encoder", {"features": "point"}))
    if weights.startswith("pretrained"):
        return found
    return [*found, Variant("weights of the encoder", weights or "random", "pretrained: needs a checkpoint", None)]


def choice_fits(variants: Sequence[Variant], done: Sequence[Done], primary: str) -> list[FoldFit]:
    """The fits of the variants: on the rows of those of the documented MLP."""
    documented = [item.fit for item in done if (item.fit.scheme, item.fit.model) == (primary, DOCUMENTED.name)]
    return [
        FoldFit(primary, fit.number, found.recipe.name, (found.recipe,), fit.train, fit.inner, fit.test)
        for fit in documented
        for found in variants
        if found.recipe
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
        The columns of `NETWORK_CHOICES`; no row where the documented MLP was not compared, or one of its folds failed.
    """
    own = {found.model: found for found in models if found.scheme == at.primary and found.model == DOCUMENTED.name}
    documented = own.get(DOCUMENTED.name)
    if documented is None or documented.failed or documented.rows.empty:
        return pd.DataFrame(columns=list(NETWORK_CHOICES.names))
    fitted = {found.model: found for found in out_of_fold(done)}
    rows = [("as documented", "", "", documented)]
    rows += [
        (found.choice, found.documented, found.instead, fitted.get(found.recipe.name) if found.recipe else None)
        for found in variants
    ]
    rows += [
        ("all of these", "", f"mlp on {found.features}", found)
        for found in models
        if (found.scheme, found.model) == (at.primary, "mlp")
    ]
    known = design.samples.set_index("sample_id")
    units, unit = units_of(at.primary, known.loc[documented.rows["sample_id"]])
    draws = Draws.of(units, at.seed, at.draws)
    lines = [
        {"scheme": at.primary, "choice": choice, "documented": before, "instead": after, "unit": unit}
        | _scored(found, documented, draws)
        for choice, before, after, found in rows
    ]
    return pd.DataFrame(lines, columns=list(NETWORK_CHOICES.names))


def _variant(documented: Recipe, choice: str, before: str, after: str, changed: dict[str, object]) -> Variant:
    name = f"{documented.name}, other {choice}"
    return Variant(choice, before, after, documented.model_copy(update={"name": name, **changed}))


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


def documented_recipe(done: Sequence[Done], primary: str) -> Recipe | None:
    """The recipe of the documented MLP where the evaluation has it."""
    of = (item.fit for item in done if (item.fit.scheme, item.fit.model) == (primary, DOCUMENTED.name))
    return next((fit.recipes[0] for fit in of), None)
