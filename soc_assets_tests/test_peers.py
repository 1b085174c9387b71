"""The pieces of `benchmarks.peers` that need no environment of the peers: the job, our side, comparison and table.

Where a peer is installed here anyway (rasterio, pandas), it runs as it does there.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

from benchmarks import peers, peers_environment, peers_job, peers_sql
from benchmarks.peers_environment import Environment
from benchmarks.peers_measure import Job
from benchmarks.peers_report import Row, compare, missing_row, table
from soc_assets.embedding.inputs import freeze_spec, read_inputs

HERE = Environment(Path(sys.executable), {"rasterio": "here", "pandas": "here"}, {"polars": "no wheel"})


@pytest.fixture
def work(prepared, tmp_path):
    project = prepared.use()
    inputs = read_inputs(project, freeze_spec(project))
    job = peers_job.job_of(inputs)
    job.save(tmp_path)
    return project, inputs, tmp_path


def test_the_patch_embedding_of_a_job_gives_our_vectors(work):
    project, inputs, folder = work
    job = Job.load(folder)
    ours = peers_job.embed(inputs, project, job, folder, 1)
    assert ours.vectors.shape == (60, 26, 768)
    assert ours.took["seconds"] > 0
    complete = np.argwhere(ours.complete & ours.on_grid)
    assert len(complete) > 20
    by_hand = np.full_like(ours.vectors, np.nan)
    for n, slot in complete[:20]:
        raster = job.rasters[job.raster[n, slot]]
        with rasterio.open(raster["path"]) as dataset:
            top, left = job.rows[n], job.columns[n]
            window = dataset.read(1)[top : top + job.size, left : left + job.size]
        mean, std = job.statistics[raster["band"]]
        patches = ((window - mean) / std).reshape(2, 8, 2, 8).mean(axis=(0, 2))
        by_hand[n, slot] = np.tensordot(job.weight.sum(axis=2)[:, 0], patches, 2) + job.bias
    words = peers.difference(by_hand, ours, np.arange(60), peers.WARPED)
    assert "MISSED" not in words.partition(";")[0]
    assert "MISSED" in peers.difference(by_hand + 0.01, ours, np.arange(60), peers.WARPED)


def test_points_are_compared_with_rasterio_and_a_peer_that_is_missing_says_why(work):
    project, inputs, folder = work
    found = peers.point_rows(project, inputs, folder, HERE).splitlines()
    assert len(found) == 5
    assert "rasterio" in found[3]
    assert "on the grid at most" in found[3]
    assert "MISSED" not in found[3].partition(";")[0]
    assert "not installed" in found[4]


def test_questions_are_answered_alike_by_duckdb_and_pandas(tmp_path):
    neighbours, band, one = peers_sql.tables(tmp_path, HERE, 20)
    assert "10 of 10 the same" in neighbours
    for found in (neighbours, band, one):
        assert "pandas" in found
        assert "MISSED" not in found
        assert "not installed: no wheel" in found


def test_a_difference_above_the_tolerance_is_said():
    found = compare(np.array([1.0, 2.0, np.nan]), np.array([1.0, 2.2, 3.0]), 0.1)
    assert (found.holds, found.compared) == (False, 2)
    assert "MISSED" in found.words
    assert compare(np.array([1.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0]), 0.1, of_median=True).holds
    assert not compare(np.array([np.nan]), np.array([1.0]), 0.1).holds
    with pytest.raises(ValueError, match="a peer's result"):
        compare(np.zeros(2), np.zeros(3), 0.1)


def test_the_table_compares_with_the_first_row():
    rows = [Row("ours", 2.0, 1.0), Row("theirs", 60.0, 20.0, least=30), Row("wall", 3.0)]
    *_, theirs, wall, absent = table("work", [*rows, missing_row("absent", "no wheel")]).splitlines()
    assert "| 3 | - | 1.5, - |" in wall
    assert "30, 20 (at least 30)" in theirs
    assert "not installed: no wheel" in absent


def test_a_package_that_cannot_be_installed_costs_its_own_row_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(peers_environment, "CPU_INDEX", "http://127.0.0.1:9")
    monkeypatch.setitem(peers_environment.GROUPS, "nothing", ("soc-assets-has-no-such-package==0",))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    found = peers_environment.prepare(Path(sys.prefix), ("rasterio", "nothing"))
    assert set(found.versions) == {"rasterio"}
    assert found.missing["nothing"]
