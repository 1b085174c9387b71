"""The search for a recipe inside the training data: Optuna's TPE, pruned after each inner fold, resumable.

TPE after Bergstra et al. (NeurIPS 2011), Optuna after Akiba et al. (KDD 2019). The inner folds are those of the primary
scheme over training and validation samples; the test split is not used. The R2 of the best of many trials is optimistic
because of the selection: the recipe's real performance is measured by `evaluation`, where it can be a candidate.
"""

import logging
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from soc_assets.errors import SettingsError, SocError, SocWarning, TrainingError
from soc_assets.regression.design.design import Design
from soc_assets.regression.design.reduction import fit_reduction
from soc_assets.regression.design.target import Target
from soc_assets.regression.metrics import r_squared
from soc_assets.regression.models.fitted import Options
from soc_assets.regression.models.kinds import fit_learner, kind_of
from soc_assets.regression.models.recipes import candidates
from soc_assets.runtime import interrupts, process, progress
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets.storage.sqlite_files import fault_of, set_aside
from soc_assets.storage.write_errors import cannot_write, translate_write_errors

if TYPE_CHECKING:
    import optuna

_HIDDEN = {"64": (64,), "64-32": (64, 32), "128-64": (128, 64), "256-128": (256, 128)}
_PROCESS = "soc.process"  # of a trial: the process that runs it
_STARTUP = 5  # trials before anything is pruned


@dataclass(frozen=True)
class Tuned:
    """What a study found.

    Attributes:
        recipe: the best, named `tuned`.
        r2: its pooled R2 in the inner folds, flattered by the choice.
        trials: number, state, value and parameters of every trial.
        importance: of each parameter, sums to 1; empty with too few trials.
    """

    recipe: Recipe
    r2: float
    trials: pd.DataFrame
    importance: dict[str, float]


def searched_sets(evaluation: Evaluation) -> tuple[str, ...]:
    """The feature sets that a search goes through: those of the candidates that read no windows.

    Raises:
        SettingsError: all of them do.
    """
    sets = dict.fromkeys(recipe.features for recipe in candidates(evaluation) if not kind_of(recipe).windows)
    if not sets:
        raise SettingsError(
            "The hyperparameters of MLPs are searched on the feature sets of the candidates, and all of "
            "[[evaluation.candidates]] in soc.toml read windows. Add one on features = 'point', or leave them out."
        )
    return tuple(sets)


def tune(
    design: Design,
    rows: np.ndarray,
    inner: np.ndarray,
    base: Recipe,
    feature_sets: tuple[str, ...],
    trials: int,
    storage: Path,
    name: str,
    options: Options,
) -> Tuned:
    """Run the trials that the study still lacks.

    Args:
        design: samples and features.
        rows: [n] of the training data.
        inner: [n] inner fold of each row.
        base: gives what is not searched.
        feature_sets: to choose from.
        trials: finished or pruned ones wanted in all; one that failed is not tried again in this call.
        storage: an SQLite file; a study of this name in it is continued.
        name: of the study, for example the digest of its inputs.
        options: seed, level, device.

    Raises:
        TrainingError: no trial could be fitted.
        StorageError: the file cannot be written.
    """
    import optuna

    logging.getLogger("optuna").setLevel(logging.WARNING)
    storage.parent.mkdir(parents=True, exist_ok=True)
    study = _study(storage, name, optuna)
    _end_orphans(study, optuna)
    known, errors = _ended(study), []

    def objective(trial: "optuna.Trial") -> float:
        trial.set_user_attr(_PROCESS, process.marks())
        recipe = _suggest(trial, base, feature_sets)
        try:
            r2 = _score(recipe, design, rows, inner, options, trial, optuna)
        except SocError as error:
            errors.append(str(error))
            raise
        if not np.isfinite(r2):
            errors.append("its R2 is not defined, as where all organic carbon is equal")
        return r2

    progress.report(known, trials, "trials are there already" if known else "first trial", unit="trials")
    while (number := _ended(study) + len(errors)) < trials:
        # a seed for each trial: what a search that was interrupted draws next is what it would have drawn
        study.sampler = optuna.samplers.TPESampler(seed=options.seed + number)
        study.optimize(objective, n_trials=1, catch=(SocError,))
        progress.report(_ended(study) + len(errors), trials, _outcome(study), unit="trials")
    if not _completed(study):
        raise TrainingError(f"{_none_fitted(trials, errors)} The study is {name} in {storage}.")
    return _result(study, base, optuna)


def _outcome(study: "optuna.Study") -> str:
    """The last trial's result, and the best one so far."""
    trial = study.trials[-1]
    best = f"best R2 {study.best_value:.3f}" if _completed(study) else "none finished"
    value = f"R2 {trial.value:.3f}" if trial.value is not None else trial.state.name.lower()
    return f"trial {trial.number}: {value}; {best}"


def _none_fitted(trials: int, errors: list[str]) -> str:
    often, times = Counter(errors).most_common(1)[0] if errors else ("every one was pruned", trials)
    return (
        f"None of the {trials} trials of the search for a recipe could be fitted. {times} of them: {often} "
        "Mend that and run again: failed trials are repeated."
    )


def _study(storage: Path, name: str, optuna: Any) -> "optuna.Study":
    """The study of this name; a file of studies that is damaged is renamed, with a warning, and another begun."""
    from sqlalchemy.exc import SQLAlchemyError

    if storage.is_file() and (fault := fault_of(storage, "studies")):
        _set_aside(storage, fault)
    try:
        study = _opened(storage, name, optuna)
        study.get_trials(deepcopy=False)
        return study
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError, ValueError, LookupError) as error:
        if translated := cannot_write(error, storage):
            raise translated from error
        _set_aside(storage, str(error).splitlines()[0])  # its content, not its schema
        return _opened(storage, name, optuna)


def _set_aside(storage: Path, fault: str) -> None:
    with translate_write_errors(storage):
        aside = set_aside(storage)
    words = f"{storage} is damaged ({fault}): it is now {aside.name}, and the search for a recipe starts over."
    warnings.warn(words, SocWarning, stacklevel=3)


def _opened(storage: Path, name: str, optuna: Any) -> "optuna.Study":
    return optuna.create_study(
        study_name=name,
        storage=f"sqlite:///{storage.resolve().as_posix()}",
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP),
        load_if_exists=True,
    )


def _end_orphans(study: "optuna.Study", optuna: Any) -> None:
    """Mark trials as failed whose process on this machine is gone, so that none counts as running forever."""
    running, failed = optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.FAIL
    for trial in study.get_trials(states=(running,)):
        if process.is_gone(trial.user_attrs.get(_PROCESS, {})):
            study.tell(trial.number, state=failed)


def _ended(study: "optuna.Study") -> int:
    """Trials that are finished or pruned; failed ones are not among them."""
    return sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in study.trials)


def _completed(study: "optuna.Study") -> bool:
    return any(trial.state.name == "COMPLETE" for trial in study.trials)


def _suggest(trial: "optuna.Trial", base: Recipe, feature_sets: tuple[str, ...]) -> Recipe:
    features = trial.suggest_categorical("features", feature_sets)
    found: dict[str, Any] = {
        "features": features,
        "target": trial.suggest_categorical("target", ("log1p", "box-cox")),
        "hidden": _HIDDEN[trial.suggest_categorical("hidden", tuple(_HIDDEN))],
        "dropout": trial.suggest_float("dropout", 0.0, 0.6),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-2, 3.0, log=True),
        "epochs": trial.suggest_int("epochs", 20, 100, step=10),
    }
    if "embedding" in features:
        found["pca"] = float(trial.suggest_categorical("pca", (20, 60, 120)))
    return Recipe.model_validate({**base.model_dump(), **found, "name": "tuned"})


def _score(
    recipe: Recipe,
    design: Design,
    rows: np.ndarray,
    inner: np.ndarray,
    options: Options,
    trial: "optuna.Trial",
    optuna: Any,
) -> float:
    """Pooled R2 in g/kg over the inner folds; reports after each and stops where the median of others is ahead."""
    oc = design.samples["organic_carbon"].to_numpy(float)[rows]
    target = Target.fit(recipe.target, oc)
    observed, value, seen = target.forward(oc), np.empty(len(rows)), np.zeros(len(rows), bool)
    r2 = float("-inf")
    for step, number in enumerate(np.unique(inner)):
        interrupts.check()
        out = inner == number
        reduction = fit_reduction(design, recipe.features, rows[~out], recipe.pca, options.seed)
        x = reduction.apply(design, rows[~out])
        learner = fit_learner(recipe, x, observed[~out], np.ones(len(x)), options.seed, options.device)
        value[out], seen = learner.predict(reduction.apply(design, rows[out])).value, seen | out
        residuals = (observed - value)[seen] if recipe.back == "smearing" else None
        r2 = r_squared(oc[seen], target.mean(value[seen], residuals))
        trial.report(r2, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return r2


def _result(study: "optuna.Study", base: Recipe, optuna: Any) -> Tuned:
    recipe = _suggest(optuna.trial.FixedTrial(study.best_params), base, (study.best_params["features"],))
    frame = study.trials_dataframe(attrs=("number", "state", "value", "params"))
    frame.columns = [name.removeprefix("params_") for name in frame.columns]
    done = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    importance = {}
    if len(done) > 2 * _STARTUP:
        importance = optuna.importance.get_param_importances(study)
    return Tuned(recipe, float(study.best_value), frame, {key: float(value) for key, value in importance.items()})
