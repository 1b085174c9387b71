"""`soc status`: what it says of each asset, and that it writes nothing."""

import pytest

from soc_assets_tests.command_line import soc, states

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")


def test_status_goes_from_missing_over_fresh_to_stale(fresh, templates, tmp_path):
    assert states(fresh) == {
        "raster_catalog": ["missing"],
        "soil_samples": ["missing"],
        "balanced_samples": ["missing"],
        "embeddings": ["missing", "0 of 0"],
        "features": ["missing"],
        "mlp_model": ["missing"],
    }
    assert soc("status", "--check", at=fresh).exit_code == 1
    made = templates.copy("with features", tmp_path / "later")
    found = states(made)
    assert found.pop("mlp_model") == ["missing"]
    assert found.pop("embeddings") == ["fresh", "4 of 4"]
    assert set(map(tuple, found.values())) == {("fresh",)}
    made.set("batch_size = 16", "batch_size = 16\nseed = 43")
    stale = {asset: state[0] for asset, state in states(made).items()}
    assert [stale[asset] for asset in ("raster_catalog", "soil_samples")] == ["fresh", "fresh"]
    assert [stale[asset] for asset in ("balanced_samples", "embeddings", "features")] == ["stale"] * 3


def test_status_check_succeeds_on_a_finished_project(finished):
    assert soc("status", "--check", at=finished).exit_code == 0
    assert states(finished)["mlp_model"] == ["fresh"]


def test_status_reads_only(fresh):
    before = fresh.stamps()
    states(fresh)
    assert fresh.stamps() == before
