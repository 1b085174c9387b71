import io
import math

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from soc_assets.regression.metrics import scores
from soc_assets.regression.models.epochs import EpochReport
from soc_assets.regression.report import forest_plots
from soc_assets.regression.report.fit_plots import loss_curve, observed_predicted, residual_map, target_distribution
from soc_assets.reporting.figures import to_png


def pixels(png: bytes) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(png), format="png")


def report(epoch: int, validation: float) -> EpochReport:
    return EpochReport(epoch, 5, 1.1 / epoch, validation, 10.0, 0.1, 1e-3, 0.5)


def test_loss_curve_draws_the_validation_loss_only_when_there_is_one():
    with_validation = pixels(loss_curve([report(1, 0.9), report(2, 0.8)], 2))
    without = pixels(loss_curve([report(1, math.nan), report(2, math.nan)], 2))
    orange = np.array([0xE0, 0xA0, 0x30]) / 255
    assert (np.abs(with_validation[..., :3] - orange).max(axis=-1) < 0.02).sum() > 100
    assert (np.abs(without[..., :3] - orange).max(axis=-1) < 0.02).sum() == 0


@pytest.mark.parametrize(("n", "shown"), [(60, ["validation", "test"]), (5000, ["test"]), (40, ["train"])])
def test_observed_predicted_has_a_panel_per_split_at_hand(n, shown):
    rng = np.random.default_rng(0)
    observed = np.exp(rng.normal(2.8, 0.7, n))
    split = np.array((shown * n)[:n], dtype=object)
    found = {name: scores(observed[split == name], observed[split == name] * 0.5) for name in shown}
    image = pixels(observed_predicted(observed, observed * 0.5, split, found))
    assert image.shape[1] > 390 * len(shown)


def test_residual_map_shows_too_high_in_red_and_too_low_in_blue():
    east = np.linspace(9, 13, 400)
    high = pixels(residual_map(east, np.full(400, 49.0), np.full(400, 20.0)))
    low = pixels(residual_map(east, np.full(400, 49.0), np.full(400, -20.0)))
    assert (high[..., 0] - high[..., 2]).sum() > (low[..., 0] - low[..., 2]).sum() + 100
    assert pixels(residual_map(np.empty(0), np.empty(0), np.empty(0))).shape[2] == 4


def test_target_distribution_takes_zeros_and_missing_splits():
    assert pixels(target_distribution(np.array([0.0, 1.0, 5.0]), np.array(["train"] * 3, dtype=object))).shape[2] == 4


def test_names_of_a_forest_end_before_their_numbers(monkeypatch):
    kept = []

    def keep(figure) -> bytes:
        kept.append(figure)
        return to_png(figure)

    monkeypatch.setattr(forest_plots, "to_png", keep)
    names = ["short", "Regression kriging on point values + coordinates", "a recipe of a long name " * 8]
    ends = {"value": -0.033, "low": -0.055, "high": -0.013, "baseline": True}
    forest_plots.forest(pd.DataFrame([{"model": name, **ends} for name in names]), "R2", 0.0, 3)
    texts = [text for text in kept[0].axes[0].texts if text.get_text()]
    for name, number in zip(texts[::2], texts[1::2], strict=True):
        assert name.get_window_extent().x1 <= number.get_window_extent().x0
    assert [text.get_text() for text in texts[:4:2]] == names[:2]
    assert texts[0].get_fontsize() == 9.5 and min(text.get_fontsize() for text in texts) > 6
