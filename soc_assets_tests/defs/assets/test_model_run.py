"""What the asset `mlp_model` does where memory is short."""

import numpy as np
import pandas as pd
import pytest

from soc_assets.regression.design.data import load_features
from soc_assets.regression.models.training import fit_mlp
from soc_assets.runtime import memory
from soc_assets.storage import scratch
from soc_assets_tests.small_project import model_record


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "unserved")
def test_features_that_memory_does_not_hold_give_the_same_model(with_features, monkeypatch):
    reserved, reserve = [], scratch._reserve
    monkeypatch.setattr(memory, "available", lambda: 1)
    monkeypatch.setattr(scratch, "_reserve", lambda path, size: (reserved.append(size), reserve(path, size)))
    assert with_features.run().failures == []
    project = with_features.project
    assert reserved == [60 * 19_968 * 4]
    assert not list(project.database.parent.glob(".*.tmp"))
    table = load_features(project.database)  # in memory
    fit = fit_mlp(table, project.settings.training, project.settings.sampling.balance)
    path = model_record(with_features).artifacts.folder / "tables/predictions.csv"
    found = pd.read_csv(path)
    np.testing.assert_array_equal(found["predicted"], fit.network.predict(table.matrix))
