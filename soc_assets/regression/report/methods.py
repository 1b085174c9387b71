"""The methods of an evaluation in sentences, generated from its facts, with the table of predictors."""

from collections.abc import Sequence

import pandas as pd

from soc_assets.regression.models.kriging.likelihood import MOST
from soc_assets.regression.report.facts import Facts
from soc_assets.regression.report.sections import Section, Table, in_words
from soc_assets.regression.words import feature_words, model_words, scheme_words
from soc_assets.reporting.as_text import percent
from soc_assets.settings.evaluation import ON_WINDOWS, SPATIAL, Recipe

_MOST_BANDS = 15  # rows of the predictor table that the page does not fold away
_TARGETS = {"none": "organic carbon", "log1p": "log(1 + organic carbon)", "box-cox": "Box-Cox of organic carbon"}


def methods_section(facts: Facts) -> Section:
    """Samples, covariates, folds, models and scores, as a paper describes them."""
    paragraphs = (_samples(facts), _covariates(facts), _folds(facts), _models(facts), _scores(facts), facts.regions)
    predictors = Table(
        f"Predictors: the {len(facts.bands)} raster bands that covariates are read from. Windows are edges in pixels "
        "of the reference grid: of the squares of point values, and of the window that is embedded.",
        facts.bands,
        folded=len(facts.bands) > _MOST_BANDS,
    )
    recipes = Table(
        "Models that were compared, as they were fitted in every fold. Components are principal components of the "
        "embedding; an empty cell means that the setting does not apply.",
        _recipes(facts),
        folded=True,
    )
    return Section("Methods", [text for text in paragraphs if text], [predictors, recipes])


def provenance_section(facts: Facts) -> Section:
    """What made the report: software, commit, digests, time."""
    words = f"{facts.fits:,} fits took {facts.seconds / 60:.0f} minutes of processor time."
    caption = "Software and data behind the numbers of this report."
    return Section("Software and data", [words], [Table(caption, in_words(facts.provenance))])


def _samples(facts: Facts) -> str:
    samples, scored = facts.samples, facts.schemes[0].samples
    carbon, years = samples["organic_carbon"], samples["year"].dropna()
    n, test = len(samples), int((samples["split"] == "test").sum())
    when = f", taken from {int(years.min())} to {int(years.max())}" if len(years) else ""
    which = f"All {n:,} are scored" if scored == n else f"{scored:,} of {n:,} are scored"
    rest = f"; the {test:,} of the test split are not used" if test else ""
    return (
        f"The samples are {n:,} measurements of topsoil organic carbon at {samples['location_id'].nunique():,} "
        f"locations{when}: median {carbon.median():.1f} g/kg, range {carbon.min():.1f} to {carbon.max():.1f} g/kg. "
        f"{which}{rest}."
    )


def _covariates(facts: Facts) -> str:
    windows = ", ".join(f"{edge}" for edge in facts.point_windows[1:-1])
    points = f"the pixel's own and means over squares of {windows} and {facts.point_windows[-1]} pixels"
    return (
        f"Covariates come from {len(facts.bands)} raster bands on a reference grid of {facts.pixel:,.0f} m. Point "
        f"values are {points}; embeddings are {facts.embedding}. All bands are normalised."
    )


def _folds(facts: Facts) -> str:
    settings = facts.settings
    schemes = [f"{scheme_words(each.scheme)} ({each.folds} folds, n = {each.samples:,})" for each in facts.schemes]
    words = (
        f"All models were fitted on identical folds: {_listed(schemes)}. "
        f"{_first_upper(scheme_words(settings.primary))} decide which model is called the best. "
    )
    if any(each.scheme == "block" for each in facts.schemes):
        blocks = facts.samples["block"].nunique() if "block" in facts.samples else 0
        words += f"Blocks are squares of {facts.block:,.0f} m; {blocks:,} of them hold samples. "
    if facts.buffer:
        words += f"Training samples less than {facts.buffer:,.0f} m from a test block were left out. "
    return words + (
        "No location is on both sides of a fold, except with random folds. Everything was fitted inside the training "
        f"part of a fold; its {settings.inner_folds} inner folds, merged from the outer ones, served choice, smearing "
        "and calibration."
    )


def _models(facts: Facts) -> str:
    names = [model_words(each.name) for each in facts.recipes if each.name not in ("mean", "coordinates")]
    names = list(dict.fromkeys(names))
    if facts.candidates:
        names.append(f"the best of {len(facts.candidates)} candidates, chosen in the inner folds of each training part")
    return (
        f"The models are {_listed(names)} (details in the table of models). Baselines are the mean of the "
        "training samples, a random forest on coordinates alone, and every model that is not a neural network. "
        "Predictions on a logarithmic scale were transformed back to g/kg without bias by Duan's smearing."
    )


def _scores(facts: Facts) -> str:
    settings = facts.settings
    drawn = _listed([f"{each.drawn} ({scheme_words(each.scheme)})" for each in facts.schemes])
    return (
        "R2 is the coefficient of determination of the pooled out-of-fold predictions in g/kg, bias the mean of "
        f"predicted minus observed. Intervals of scores are 95 % percentile intervals of {settings.draws:,} bootstrap "
        f"draws of {drawn}; differences between models are paired on the same draws. Prediction intervals are "
        f"split-conformal and should cover {percent(settings.level)} of new samples."
    )


def _recipes(facts: Facts) -> pd.DataFrame:
    rows = [
        {
            "Model": model_words(recipe.name),
            "Features": "" if recipe.model == "mean" else feature_words(recipe.features),
            "Target": _TARGETS[recipe.target],
            "Components": f"{recipe.pca:g}" if recipe.pca and "embedding" in recipe.features else "",
            "Setting": _setting(recipe, "random" if "weights: random" in facts.embedding else "its"),
        }
        for recipe in facts.recipes
    ]
    return pd.DataFrame(rows, columns=["Model", "Features", "Target", "Components", "Setting"])


def _setting(recipe: Recipe, weights: str) -> str:
    if recipe.model in SPATIAL:
        return _spatial(recipe)
    if recipe.model in ("random_forest", "extra_trees"):
        share = percent(recipe.max_features, 0)
        return f"{recipe.trees} trees, leaves of {recipe.min_leaf} or more, {share} of the features"
    if recipe.model == "gradient_boosting":
        return f"at most {recipe.trees} iterations, leaves of {recipe.min_leaf} or more"
    if recipe.model == "ridge":
        return f"penalty {recipe.weight_decay:g} per sample"
    if recipe.model == "mlp":
        layers = "-".join(str(width) for width in recipe.hidden)
        return (
            f"{recipe.members} networks of {layers}, dropout {recipe.dropout:g}, weight decay {recipe.weight_decay:g}, "
            f"{recipe.epochs} epochs"
        )
    if recipe.model in ON_WINDOWS:
        return _on_windows(recipe, weights)
    return "as in [training] of the settings" if recipe.model == "documented" else ""


def _on_windows(recipe: Recipe, weights: str) -> str:
    """What is trained on windows, and what stops it."""
    many = recipe.last_blocks
    tuned = {
        "last": f"the last {many} blocks" if many > 1 else "the last block",
        "all": "all",
        "lora": f"low-rank updates (rank {recipe.rank}) of the attention",
    }[recipe.tuned]
    encoder = f"{tuned} of the embedding's encoder, from {weights} weights"
    if recipe.model == "convolution":
        encoder = "three strided convolutions, from random weights"
    layers = "-".join(str(width) for width in recipe.hidden)
    head = f"{recipe.members} networks of {layers}"
    return f"{encoder}; head: {head}; at most {recipe.epochs} epochs, stopped by an inner fold"


def _spatial(recipe: Recipe) -> str:
    """How the process in space is specified, and the trend beneath it."""
    target = "organic carbon" if recipe.target == "none" else "the transformed target"
    what = f"ordinary kriging of {target}"
    if recipe.model == "regression_kriging":
        trend = recipe.trend_recipe()
        name = "MLP ensemble" if trend.model == "mlp" else model_words(trend.model).lower()
        what = f"trend: {name} ({_setting(trend, '')}); ordinary kriging of its residuals"
    covariance = "covariance: nugget and two exponentials in space"
    if recipe.model == "gaussian_process":
        what = f"process of {target} with a constant mean"
        covariance = "covariance: nugget, two exponentials in space and Matern 3/2 between features"
    return f"{what}; {covariance}; fitted by maximum likelihood, above {MOST:,} samples summed over contiguous blocks"


def _listed(words: Sequence[str]) -> str:
    """Words as an enumeration.

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _first_upper(words: str) -> str:
    return words[:1].upper() + words[1:]
