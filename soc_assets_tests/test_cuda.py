"""What only a GPU can show; skipped where torch sees none. Everything else is tested on the CPU."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import r2_score

from soc_assets.embedding.encoder.encoder import Encoder, load_encoder
from soc_assets.regression.models.ensemble import EnsembleMlp, Schedule, fit_ensemble
from soc_assets_tests.embedding.world import World
from soc_assets_tests.small_project import write_project

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA GPU here")

PIXELS = 96


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return World(tmp_path_factory.mktemp("world"), stage="encoder", image_size=PIXELS, precision="float32")


def encoder_on(world: World, device: str, images_at_once: int = 0, precision: str = "float32") -> Encoder:
    world.spec.choices["precision"] = precision
    return load_encoder(world.spec, None, 0.0, device, images_at_once, compiling="never")


def scenes(*sizes: int) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [draw.normal(size=(n, 1, PIXELS, PIXELS)).astype(np.float32) for n in sizes]


def embedded(encoder: Encoder, images: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(list(encoder.stream(images)))


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    left, right = left.reshape(len(left), -1), right.reshape(len(right), -1)
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


def test_gpu_gives_the_embeddings_of_the_cpu(world):
    images = scenes(5, 1, 10)
    expected = embedded(encoder_on(world, "cpu"), images)
    found = embedded(encoder_on(world, "cuda", images_at_once=6), images)
    assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    rounded = encoder_on(world, "cuda", images_at_once=6, precision="bfloat16")
    assert cosines(embedded(rounded, images), expected).min() >= 0.999
    assert rounded.precision.cosine >= 0.999


def test_gpu_whose_memory_is_short_halves_and_gives_the_same(world):
    images = scenes(384)
    expected = embedded(encoder_on(world, "cuda", images_at_once=16), images)
    encoder = encoder_on(world, "cuda", images_at_once=384)
    torch.cuda.empty_cache()
    allowed = torch.cuda.memory_reserved() + 700 * 2**20
    torch.cuda.set_per_process_memory_fraction(allowed / torch.cuda.get_device_properties(0).total_memory)
    try:
        found = embedded(encoder, images)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert encoder.images_at_once < 384, "it was to run out of memory"
    assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_ensemble_learns_the_same_in_mixed_precision():
    draw = np.random.default_rng(1)
    x = draw.normal(size=(1200, 20)).astype(np.float32)
    y = (np.tanh(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + 0.1 * draw.normal(size=1200)).astype(np.float32)
    scores = {}
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        network = EnsembleMlp(3, 20, (64, 32), 0.0)
        fitted = fit_ensemble(network, x[:900], y[:900], np.ones(900, np.float32), Schedule(40, 64, device=device))
        with torch.inference_mode():
            scores[device] = r2_score(y[900:], fitted(torch.from_numpy(x[900:])).mean(0).numpy())
    assert scores["cpu"] > 0.7
    assert scores["cuda"] == pytest.approx(scores["cpu"], abs=0.03)


def test_whole_run_on_the_gpu(tmp_path, finished):
    made = write_project(tmp_path / "project")
    made.config.write_text(made.config.read_text().replace('device = "cpu"', 'device = "cuda"'))
    assert made.run().failures == []
    assert {pq.read_metadata(path).metadata[b"soc.device"] for path in made.batch_files().values()} == {b"cuda"}
    for column in ("elevation_embedding", "channel_time_embeddings"):
        assert made.embeddings()[column].notna().all()
    ours, theirs = (
        project.query("SELECT features FROM features ORDER BY sample_id")["features"] for project in (made, finished)
    )
    assert_allclose(np.stack(ours), np.stack(theirs), rtol=1e-3, atol=1e-4)
