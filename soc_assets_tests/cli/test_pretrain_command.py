"""`soc pretrain` and the asset behind it: what is said, written, cached, and embedded with."""

import signal
import subprocess
import sys
import time

import duckdb
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from soc_assets.embedding.encoder.weights import read_checkpoint
from soc_assets.pipeline.assets import JOB_OF
from soc_assets.storage import files
from soc_assets.tracking.store import tracking_of
from soc_assets_tests.command_line import refused, soc, states
from soc_assets_tests.pretraining.conftest import unlabelled  # noqa: F401


@pytest.fixture
def small(unlabelled):  # noqa: F811
    return unlabelled


@pytest.mark.slow
def test_an_encoder_is_pretrained_kept_and_embedded_with(small):
    before = small.project.results / "pretrained_encoder.parquet"
    assert not before.exists()
    result = soc("pretrain", at=small)
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    for words in (
        "vit_tiny_patch8, ",
        "from random weights",
        "6 steps of 8 images",
        "images/s on cpu",
        "Held-out loss",
    ):
        assert words in said
    assert 'checkpoint = "data/results/pretrained_encoder.pth"' in said
    results = small.project.results
    assert "mask_token" in read_checkpoint(results / "pretrained_encoder.pth")
    with duckdb.connect() as connection:
        rows = connection.sql(f"SELECT step, images FROM '{before}' ORDER BY step").fetchall()
    assert rows == [(2, 16), (4, 32), (6, 48)]
    for name in ("loss", "reconstructions"):
        with Image.open(results / f"pretrained_encoder_{name}.png") as picture:
            assert picture.width > 300
    tracked = tracking_of(small.project)
    runs = tracked.client().search_runs([tracked.client().get_experiment_by_name(tracked.experiment).experiment_id])
    [run] = [run for run in runs if run.data.tags.get("soc.kind") == "pretraining"]
    assert run.data.metrics["held_out"] > 0
    assert run.data.params["made.model"] == "vit_tiny_patch8"

    assert states(small)["pretrained_encoder"][0] == "fresh"
    again = soc("pretrain", at=small)
    assert "nothing was computed" in again.stdout
    (results / "pretrained_encoder.pth").unlink()
    assert states(small)["pretrained_encoder"][0] == "stale"
    assert soc("pretrain", at=small).exit_code == 0

    small.set(
        'model = "vit_tiny_patch8"', 'model = "vit_tiny_patch8"\ncheckpoint = "data/results/pretrained_encoder.pth"'
    )
    assert states(small)["pretrained_encoder"][0] == "fresh"  # the checkpoint of the embeddings is not an input
    embedded = soc("run", "--to", "embeddings", at=small)
    assert embedded.exit_code == 0, embedded.output
    row = small.embeddings().iloc[0]
    assert len(row["elevation_embedding"][0]) == 192
    for path in small.batch_files().values():
        assert files.read_metadata(path)["soc.weights"] == "pretrained (pretrained_encoder.pth)"


def test_a_published_model_needs_a_gpu_or_a_yes(small):
    small.set('model = "vit_tiny_patch8"', 'model = "vit_base_patch8"')
    words = refused("pretrain", at=small)
    assert "takes days" in words
    assert "soc pretrain --yes" in words


def test_a_length_from_the_command_line_is_another_run(small):
    result = soc("pretrain", "--images", "16", at=small)
    assert result.exit_code == 0, result.output
    assert "2 steps of 8 images" in " ".join(result.stdout.split())
    assert "16 images in" in result.stdout


def test_check_says_how_much_there_is_to_learn_from(small):
    said = " ".join(soc("check", at=small).output.split())
    assert "windows that do not overlap" in said
    assert "parameters, more than the rasters have valid pixels" in said
    small.config.write_text(small.config.read_text().partition("\n[pretraining]")[0])
    assert "windows that do not overlap" not in " ".join(soc("check", at=small).output.split())


@pytest.mark.slow
def test_after_kill_9_it_goes_on_with_the_same_curve_and_ctrl_c_ends_it_soon(small):
    small.set("images = 48", "images = 1600")
    whole = soc("pretrain", at=small)
    assert whole.exit_code == 0, whole.output
    table = small.project.results / "pretrained_encoder.parquet"
    undisturbed = pd.read_parquet(table)
    for path in table.parent.glob("pretrained_encoder*"):
        path.unlink()
    command = [sys.executable, "-m", "soc_assets", "pretrain", "--config", str(small.config)]
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        _wait_for_a_new_state(table.parent / "pretraining", running)
        started = time.monotonic()
        running.send_signal(number)
        said, _ = running.communicate(timeout=30)
        assert running.returncode == code, said.decode()
        assert time.monotonic() - started < 5
        assert not table.exists()
    again = soc("pretrain", at=small)
    assert again.exit_code == 0, again.output
    found = pd.read_parquet(table)
    assert_allclose(found["loss"], undisturbed["loss"], rtol=1e-5)
    assert_allclose(found["held_out"], undisturbed["held_out"], rtol=1e-5)


def _wait_for_a_new_state(folder, running):
    """Until the run has saved a state of its own."""
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.pt")}
    until = time.monotonic() + 120
    while {path: path.stat().st_mtime_ns for path in folder.glob("*.pt")} == before:
        assert running.poll() is None, running.stdout.read().decode()
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_start_that_is_not_there_is_said(small):
    small.set("[pretraining]\n", '[pretraining]\nstart = "data/checkpoints/SpectralGPT+.pth"\n')
    assert "correct `start` in [pretraining]" in refused("pretrain", at=small)
    assert states(small)["raster_catalog"][0] == "fresh"


def test_a_start_elsewhere_or_the_result_itself_is_refused(small):
    small.set("[pretraining]\n", '[pretraining]\nstart = "s3://bucket/SpectralGPT+.pth"\n')
    assert "copy the file here" in refused("pretrain", at=small)
    small.set('"s3://bucket/SpectralGPT+.pth"', '"data/results/pretrained_encoder.pth"')
    assert "which the pre-training itself writes" in refused("pretrain", at=small)


def test_embedding_by_an_encoder_that_is_not_made_yet_says_how_it_is_made(small):
    small.set("[embedding]\n", '[embedding]\ncheckpoint = "data/results/pretrained_encoder.pth"\n')
    assert "Run `soc pretrain`, which makes it" in refused("run", "--to", "embeddings", at=small)


def test_it_is_a_job_of_its_own():
    assert JOB_OF["pretrained_encoder"] == "pretrain"
