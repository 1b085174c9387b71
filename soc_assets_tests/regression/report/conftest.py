"""A small evaluation, fitted once: baselines and a chosen network, with everything that a report is made of."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from soc_assets.regression.evaluation.ceiling import find_ceiling
from soc_assets.regression.evaluation.engine import run_fits
from soc_assets.regression.evaluation.leaderboard import verdict
from soc_assets.regression.evaluation.plan import make_plan
from soc_assets.regression.evaluation.scoring import out_of_fold, score_table
from soc_assets.regression.models.fitted import Options
from soc_assets.regression.report.facts import Facts, SchemeFacts
from soc_assets.regression.report.results import Results, best_of
from soc_assets.settings.evaluation import Evaluation, Recipe
from soc_assets_tests.regression.designs import folds_of, make

SETTINGS = Evaluation(
    schemes=("block",),
    models=("ridge",),
    feature_sets=("point",),
    documented=False,
    candidates=(
        Recipe(name="few", hidden=(8,), epochs=2, members=1, features="point:1"),
        Recipe(name="many", hidden=(8,), epochs=8, members=1, batch_size=64, learning_rate=0.02),
    ),
    draws=100,
)
TEST = 40  # samples of the test split


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> SimpleNamespace:
    design = make(280)
    samples = design.samples.assign(pixel_step=design.samples["location_id"])
    samples.loc[samples.index[-TEST:], "split"] = "test"
    design = replace(design, samples=samples)
    folds = folds_of(design, 3)
    folds = folds[folds["sample_id"].isin(samples.loc[samples["split"] != "test", "sample_id"])]
    plan = make_plan(design, folds, SETTINGS, "embedding")
    fits = [fit for fit in plan.fits if fit.model != "coordinates"]  # a forest, which takes longer than all others
    done = run_fits(fits, design, tmp_path_factory.mktemp("small"), Options(), 1)
    models = out_of_fold(done)
    table = score_table(models, design, 100, 0)
    verdicts = {"block": verdict(models, table, "block", design, 100, 0)}
    best = best_of(models, table, "block")
    area = np.random.default_rng(0).uniform(0, 100e3, (50, 2))
    ceiling = find_ceiling(best, design, 100, 0)
    results = Results(design, models, done, table, verdicts, area, 0.9, 100, 0, ceiling)
    facts = Facts(
        samples=design.samples,
        schemes=(SchemeFacts("block", 3, 280 - TEST, "blocks"),),
        bands=pd.DataFrame({"Band": ["Elevation", "LAI"], "Kind": ["static", "yearly"], "Unit": ["m", ""]}),
        pixel=250.0,
        block=25_000.0,
        point_windows=(1, 3, 9, 25),
        embedding="windows of 96 pixels (weights: random)",
        recipes=tuple(dict.fromkeys(fit.recipes[0] for fit in plan.fits if len(fit.recipes) == 1)),
        candidates=("few", "many"),
        settings=SETTINGS,
        buffer=0.0,
        regions="Regions are quadrants.",
        fits=len(done),
        seconds=61.0,
        provenance={"soc_assets": "0.1.0", "Commit of the project": "", "Embedding spec (digest)": "abc"},
    )
    return SimpleNamespace(design=design, plan=plan, done=done, results=results, facts=facts, table=table)
