"""Training on features in a file gives the numbers of training in memory, to the bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from soc_assets.regression.design.data import load_features
from soc_assets.regression.design.standardisation import column_statistics
from soc_assets.regression.evaluation.fit_scores import evaluate_fit
from soc_assets.regression.models.documented import area_of_network
from soc_assets.regression.models.mapped_rows import MappedRows
from soc_assets.regression.models.mlp import SocMlp
from soc_assets.regression.models.training import fit_mlp
from soc_assets.settings import Training
from soc_assets.storage import scratch
from soc_assets_tests.regression.tables import make_table, write_database

SMALL = Training(hidden=(16, 8), dropout=0.3, epochs=3, learning_rate=1e-2, batch_size=32, device="cpu")


@pytest.fixture
def mapped(tmp_path):
    """What puts a table's matrix into a file."""
    with scratch.matrices(tmp_path / "soc.duckdb", most=0) as allocate:

        def put(table):
            matrix = allocate(table.matrix.shape)
            matrix[:] = table.matrix
            return replace(table, matrix=matrix)

        yield put


@pytest.mark.parametrize(("n", "d"), [(27, 3), (259, 13), (1031, 67)])
@pytest.mark.parametrize("balance", ["none", "resample", "weights"])
def test_the_same_weights_losses_and_predictions(mapped, n, d, balance):
    table = make_table(n, d)
    rng = np.random.default_rng(n)
    table.matrix[rng.random(table.matrix.shape) < 0.05] = np.nan
    table.matrix[:, 1] = 7  # constant
    table = replace(table, multiplicity=rng.integers(0, 4, n), weight=rng.uniform(0.2, 3, n).astype(np.float32))
    in_file = mapped(table)
    assert scratch.is_mapped(in_file.matrix)
    fits = [fit_mlp(each, SMALL, balance) for each in (table, in_file)]
    weights = [fit.network.state_dict() for fit in fits]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    losses = [[(report.train_loss, report.validation_loss) for report in fit.history] for fit in fits]
    assert losses[0] == losses[1]
    found = [evaluate_fit(fit, each).predictions for fit, each in zip(fits, (table, in_file), strict=True)]
    np.testing.assert_array_equal(found[0]["predicted"], found[1]["predicted"])
    rows = table.rows("train")
    fold = np.arange(len(rows)) % 3
    areas = [area_of_network(fits[0].network, each.matrix, rows, fold, 0) for each in (table, in_file)]
    assert areas[0].threshold == areas[1].threshold


def test_rows_are_those_of_the_standardised_tensor(mapped):
    table = mapped(make_table(53, 7))
    table.matrix[3, 2] = np.nan
    network = SocMlp(7, (4,))
    mean, scale = column_statistics(table.matrix, table.rows("train"))
    network.feature_mean.copy_(torch.from_numpy(mean))
    network.feature_scale.copy_(torch.from_numpy(scale))
    rows = table.rows("validation")
    whole = network.standardise_(torch.from_numpy(table.matrix[rows]))
    found = MappedRows(network, table.matrix, rows, torch.device("cpu"))
    assert len(found) == len(whole)
    index = torch.tensor([5, 0, 5])
    assert torch.equal(found.index_select(0, index), whole.index_select(0, index))
    assert torch.equal(torch.cat(list(found.split(3))), whole)
    assert [len(block) for block in found.split(3)] == [len(block) for block in whole.split(3)]


def test_the_view_is_read_into_a_file(tmp_path):
    database = write_database(tmp_path / "soc.duckdb", make_table(61, 5))
    with scratch.matrices(database, most=0) as allocate:
        found = load_features(database, allocate)
        assert scratch.is_mapped(found.matrix)
        np.testing.assert_array_equal(found.matrix, load_features(database).matrix)
    assert [path.name for path in tmp_path.iterdir()] == ["soc.duckdb"]
