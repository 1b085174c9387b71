import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from soc_assets.errors import SocWarning, TrainingError
from soc_assets.regression.evaluation.fit_scores import evaluate_fit
from soc_assets.regression.models.epochs import Epochs, Part
from soc_assets.regression.models.mlp import SocMlp
from soc_assets.regression.models.training import fit_mlp, visited_rows
from soc_assets.settings import Training
from soc_assets_tests.regression.tables import make_table

SMALL = Training(hidden=(16, 8), dropout=0.05, epochs=6, learning_rate=1e-2, device="cpu")


def weights(fit) -> np.ndarray:
    return torch.cat([p.detach().ravel() for p in fit.network.parameters()]).numpy()


def test_learns_a_linear_signal():
    table = make_table(500)
    fit = fit_mlp(table, SMALL.model_copy(update={"epochs": 60, "patience": 60}))
    evaluation = evaluate_fit(fit, table)
    assert evaluation.scores["test"].r2 > 0.8
    assert abs(evaluation.baseline["test"].r2) < 0.1
    assert evaluation.predictions["sample_id"].tolist() == table.sample_id.tolist()


def test_same_seed_gives_same_predictions_and_other_seed_others():
    table = make_table()
    first, again = (fit_mlp(table, SMALL) for _ in range(2))
    np.testing.assert_array_equal(first.network.predict(table.matrix), again.network.predict(table.matrix))
    assert [r.validation_loss for r in first.history] == [r.validation_loss for r in again.history]
    other = fit_mlp(table, SMALL.model_copy(update={"seed": 7}))
    assert np.abs(weights(other) - weights(first)).max() > 1e-3


def test_callers_random_numbers_are_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    fit_mlp(make_table(), SMALL.model_copy(update={"epochs": 1}))
    torch.testing.assert_close(torch.rand(4), expected)


def test_standardisation_and_weights_come_from_the_training_split_only():
    table = make_table()
    settings = SMALL.model_copy(update={"epochs": 1})  # the first epoch is the best whatever validation holds
    changed = replace(table, matrix=table.matrix.copy(), organic_carbon=table.organic_carbon.copy())
    changed.matrix[table.rows("test")] = 1e6
    changed.organic_carbon[table.rows("test")] = 500
    changed.matrix[table.rows("validation")] *= 3
    changed.organic_carbon[table.rows("validation")] += 99
    fit, other = fit_mlp(table, settings), fit_mlp(changed, settings)
    assert fit.history[0].validation_loss != other.history[0].validation_loss
    np.testing.assert_array_equal(weights(fit), weights(other))
    train = table.rows("train")
    for network in (fit.network, other.network):
        np.testing.assert_allclose(network.feature_mean, table.matrix[train].mean(axis=0), rtol=1e-4)
        assert network.target_most.item() == np.float32(table.organic_carbon[train].max())
        np.testing.assert_allclose(network.target_mean, table.organic_carbon[train].mean(), rtol=1e-6)
        np.testing.assert_allclose(network.target_scale, table.organic_carbon[train].std(), rtol=1e-6)


def test_statistics_count_each_training_row_once_whatever_its_multiplicity():
    table = make_table()
    heavy = replace(table, multiplicity=np.where(np.arange(240) < 20, 9, 1))
    settings = SMALL.model_copy(update={"epochs": 1})
    fit, other = fit_mlp(table, settings), fit_mlp(heavy, settings)
    torch.testing.assert_close(fit.network.feature_mean, other.network.feature_mean)
    assert other.visits > fit.visits == len(table.rows("train"))


def test_each_training_row_is_visited_as_often_as_its_multiplicity(monkeypatch):
    table = make_table(50)
    multiplicity = np.random.default_rng(0).integers(0, 4, 50)
    table = replace(table, multiplicity=multiplicity)
    seen = []
    step = Epochs.step
    monkeypatch.setattr(Epochs, "step", lambda self, rows: seen.append(rows.numpy()) or step(self, rows))
    fit_mlp(table, SMALL.model_copy(update={"epochs": 1, "batch_size": 7}))
    train = table.rows("train")
    np.testing.assert_array_equal(np.bincount(np.concatenate(seen), minlength=len(train)), multiplicity[train])
    assert all(len(rows) == 7 for rows in seen[:-1])
    np.testing.assert_array_equal(visited_rows(table, "weights"), np.arange(len(train)))


def test_order_of_visits_differs_between_epochs(monkeypatch):
    seen = []
    step = Epochs.step
    monkeypatch.setattr(Epochs, "step", lambda self, rows: seen.append(rows.numpy()) or step(self, rows))
    table = make_table(50)
    fit_mlp(table, SMALL.model_copy(update={"epochs": 2, "batch_size": 1000}))
    assert sorted(seen[0]) == sorted(seen[1])
    assert list(seen[0]) != list(seen[1])


@pytest.mark.parametrize(("balance", "column"), [("resample", "multiplicity"), ("weights", "weight")])
def test_balancing_pulls_the_fit_towards_the_favoured_rows(balance, column):
    table = make_table()
    favoured = np.arange(240) % 2 == 0
    table = replace(table, matrix=np.zeros_like(table.matrix), organic_carbon=np.where(favoured, 30.0, 10.0))
    skewed = replace(table, **{column: np.where(favoured, 9, 1).astype(getattr(table, column).dtype)})
    settings = SMALL.model_copy(update={"epochs": 30, "patience": 30, "dropout": 0.0})
    without_validation = replace(skewed, split=np.where(skewed.split == "train", "train", "test"))
    with pytest.warns(SocWarning):
        balanced = fit_mlp(without_validation, settings, balance)
    with pytest.warns(SocWarning):
        plain = fit_mlp(without_validation, settings, "none")
    assert balanced.network.predict(table.matrix[:1])[0] == pytest.approx(28, abs=1.5)
    assert plain.network.predict(table.matrix[:1])[0] == pytest.approx(20, abs=1.5)


def test_scale_of_the_weights_does_not_matter():
    table = make_table()
    weight = np.random.default_rng(0).uniform(0.5, 2, 240).astype(np.float32)
    fits = [fit_mlp(replace(table, weight=weight * factor), SMALL, "weights") for factor in (1, 64)]
    np.testing.assert_allclose(weights(fits[0]), weights(fits[1]), atol=1e-4)


def test_early_stopping_restores_the_weights_of_the_best_epoch():
    table = make_table(60, noise=30)  # noise: the validation loss soon rises
    settings = SMALL.model_copy(update={"epochs": 60, "patience": 4, "dropout": 0.0})
    fit = fit_mlp(table, settings)
    losses = [report.validation_loss for report in fit.history]
    assert fit.stopped_early
    assert fit.best_epoch == int(np.argmin(losses)) + 1
    assert len(losses) == fit.best_epoch + 4
    rows = table.rows("validation")
    error = (fit.network.predict(table.matrix[rows]) - table.organic_carbon[rows]) / fit.network.target_scale.item()
    assert np.mean(error**2) == pytest.approx(min(losses), rel=1e-4)
    best = fit.history[fit.best_epoch - 1]
    evaluation = evaluate_fit(fit, table)
    assert evaluation.scores["validation"].r2 == pytest.approx(best.validation_r2, abs=1e-5)
    assert evaluation.scores["validation"].rmse == pytest.approx(best.validation_rmse, rel=1e-5)


def test_without_validation_split_all_epochs_are_trained_and_it_is_said():
    table = make_table()
    table = replace(table, split=np.where(table.split == "validation", "test", table.split).astype(object))
    with pytest.warns(SocWarning, match="no validation samples: all 6 epochs"):
        fit = fit_mlp(table, SMALL.model_copy(update={"patience": 1}))
    assert (fit.best_epoch, len(fit.history), fit.validated) == (6, 6, False)
    assert math.isnan(fit.history[0].validation_loss)
    assert evaluate_fit(fit, table).scores["validation"].n == 0


def test_kept_gradient_memory_gives_the_gradients_of_autograd():
    torch.manual_seed(0)
    network = SocMlp(5, (4, 3), dropout=0.0)
    part = Part(torch.randn(8, 5), torch.randn(8, 1), torch.rand(8, 1))
    rows = torch.tensor([3, 3, 0, 7])
    loss = (part.weight[rows] * (network.hidden(part.x[rows]) - part.y[rows]) ** 2).mean()
    expected = torch.autograd.grad(loss, list(network.parameters()))
    run = Epochs(network, part, part, Training(learning_rate=1e-9))
    for _ in range(2):  # the second step must not add to the first
        torch.testing.assert_close(run.step(rows), loss.detach())
    for parameter, gradient in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_missing_features_are_imputed_by_the_training_mean():
    table = make_table()
    holed = replace(table, matrix=table.matrix.copy())
    holed.matrix[::3, 4] = np.nan
    train = holed.rows("train")
    mean = np.nanmean(holed.matrix[train, 4])
    filled = replace(holed, matrix=np.where(np.isnan(holed.matrix), mean, holed.matrix).astype(np.float32))
    fit = fit_mlp(holed, SMALL)
    assert fit.network.feature_mean[4].item() == pytest.approx(mean, rel=1e-5)
    np.testing.assert_allclose(
        fit.network.predict(holed.matrix), fit.network.predict(filled.matrix), rtol=1e-4, atol=1e-4
    )


def test_loss_that_is_not_finite_tells_the_cure():
    with pytest.raises(TrainingError, match=r"loss became (nan|inf) in epoch .*Lower \[training\] learning_rate"):
        fit_mlp(make_table(), SMALL.model_copy(update={"learning_rate": 1e30}))


def test_only_multiplicities_of_zero_are_refused():
    table = replace(make_table(50), multiplicity=np.zeros(50, dtype=np.int64))
    with pytest.raises(TrainingError, match=r"training samples have multiplicity 0"):
        fit_mlp(table, SMALL)


def test_every_epoch_is_reported_as_it_happens():
    reports = []
    fit = fit_mlp(make_table(), SMALL, on_epoch=reports.append)
    assert tuple(reports) == fit.history
    assert [report.epoch for report in reports] == [1, 2, 3, 4, 5, 6]
    assert reports[-1].train_loss < reports[0].train_loss
    assert {report.epochs for report in reports} == {6}


def test_first_layer_learns_at_its_share_of_the_rate():
    """A step of Adam from nothing is the rate for every weight, whatever its gradient."""
    network = SocMlp(64, (16, 8), dropout=0.0)
    x, y = torch.randn(32, 64), torch.randn(32, 1)
    part = Part(x, y, torch.ones(32, 1))
    moved = {}
    for scaled in (False, True):
        torch.manual_seed(0)
        network = SocMlp(64, (16, 8), dropout=0.0)
        before = [parameter.detach().clone() for parameter in network.parameters()]
        run = Epochs(network, part, part, Training(learning_rate=1e-3, scale_input_rate=scaled))
        run.step(torch.arange(32))
        steps = [(now - then).abs().max().item() for now, then in zip(network.parameters(), before, strict=True)]
        moved[scaled] = steps
    assert moved[False] == pytest.approx([1e-3] * 6, rel=1e-3)
    assert moved[True] == pytest.approx([1e-3 * 16 / 64] * 2 + [1e-3] * 4, rel=1e-3)
    wide = SocMlp(4, (16, 8), dropout=0.0)  # fewer inputs than outputs: as the others
    assert Epochs(wide, part, part, Training(scale_input_rate=True)).optimizer.param_groups[0]["lr"] == 1e-3


def test_scaled_rate_does_not_overshoot_over_many_inputs():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(400, 1))  # embeddings are alike: thousands of columns that move together
    matrix = (common + 0.3 * rng.normal(size=(400, 8000))).astype(np.float32)
    table = replace(make_table(400), matrix=matrix, organic_carbon=20 + 8 * common[:, 0])
    settings = Training(hidden=(64, 32), epochs=1, device="cpu")
    plain, scaled = (
        fit_mlp(table, settings.model_copy(update={"scale_input_rate": given})).history[0].train_loss
        for given in (False, True)
    )
    assert scaled < 1 < 2 < plain
