"""What checking a batch costs against writing it, and the effective rank of each band, on the project at hand.

    SOC_CONFIG=.../soc.toml python -m benchmarks.checks [batches]
    python -m benchmarks.checks --encoder    # effective ranks of the transformer on windows as plain as they can be

Each batch is embedded again into a scratch folder, where `check_batch` then reads it. The effective rank is that of the
check `rank`: of at most 32 vectors per band, docs/check.md.
"""

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from soc_assets.embedding import batch as batches
from soc_assets.embedding import quality
from soc_assets.embedding.check import check_batch
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder.encoder import load_encoder
from soc_assets.embedding.inputs import read_inputs
from soc_assets.embedding.plots import BatchMaps
from soc_assets.embedding.spec import Spec
from soc_assets.embedding.spec_choices import choices_of
from soc_assets.project import load_project
from soc_assets.settings import Embedding
from soc_assets.settings.loading import Settings


def plain_windows() -> None:
    """The effective rank at stage `encoder`, random weights, of 24 windows of one value each and of 24 planes."""
    settings = Settings(embedding=Embedding(stage="encoder", device="cpu", precision="float32"))
    spec = Spec(choices_of(settings, None), {}, "")
    encoder, size = load_encoder(spec, None, 0.0, "cpu", compiling="never"), spec.choices["image_size"]
    rows, columns = np.mgrid[:size, :size].astype(np.float32) / size
    values = np.linspace(-2, 2, 24, dtype=np.float32)[:, None, None]
    slopes = np.random.default_rng(0).normal(size=(2, 24, 1, 1)).astype(np.float32)
    for name, images in (
        ("one value each", np.broadcast_to(values, (24, size, size))),
        ("planes", values + slopes[0] * rows + slopes[1] * columns),
    ):
        [vectors] = encoder.stream([np.ascontiguousarray(images[:, None])])
        print(name, round(quality.effective_rank(vectors.reshape(24, -1)), 2))


def main() -> None:
    if "--encoder" in sys.argv:
        return plain_windows()
    project = load_project()
    inputs = read_inputs(project)
    spec, settings = inputs.spec, project.settings.embedding
    encoder = load_encoder(spec, project.checkpoint, settings.drop_path, settings.device)
    embedder, maps = Embedder(spec, inputs.raster_index, encoder, settings.cache_mb), BatchMaps(inputs.samples)
    ranks: list[float] = []
    quality.effective_rank = _noting(quality.effective_rank, ranks)
    times: dict[str, list[float]] = {"write": [], "check": [], "map": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / spec.digest
        folder.mkdir()
        shutil.copy(inputs.folder / "spec.json", folder)
        for key in inputs.keys[: int(sys.argv[1]) if len(sys.argv) > 1 else 4]:
            batch = inputs.batch(key)
            ranks.clear()
            for what, work in (
                ("write", lambda batch=batch: batches.write(batch, folder, spec, lambda: embedder)),
                ("check", lambda batch=batch: check_batch(batch, folder, spec)),
                ("map", lambda batch=batch: maps.png(batch.samples)),
            ):
                start = time.process_time()
                found = work()
                times[what].append(time.process_time() - start)
                if what == "check" and found:
                    print(found)
            print(key, len(batch.samples), "samples, effective ranks", [round(rank, 2) for rank in ranks])
    print({what: f"{statistics.median(values) * 1e3:.1f} ms" for what, values in times.items()}, "of CPU, medians")


def _noting(function, into: list[float]):
    def noted(vectors):
        into.append(function(vectors))
        return into[-1]

    return noted


if __name__ == "__main__":
    main()
